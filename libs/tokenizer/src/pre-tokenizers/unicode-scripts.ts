/**
 * Cutting a text where the script changes, as sentencepiece does: Hiragana, Katakana and the prolonged sound mark count
 * as Han; spaces, and characters without a script, go with either side.
 */
import { type AlignedText, widthAt } from '../aligned-text.ts';
import { CodePointTable, setsPerTable } from '../unicode/code-point-set.ts';
import { classOf } from '../unicode/versions.ts';
import type { PreTokenizer } from './pre-tokenizer.ts';

/** The scripts of Unicode 9. */
const scripts = (
  'Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo ' +
  'Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Common Coptic ' +
  'Cuneiform Cypriot Cyrillic Deseret Devanagari Duployan Egyptian_Hieroglyphs Elbasan Ethiopic Georgian Glagolitic ' +
  'Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited ' +
  'Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li Kharoshthi Khmer Khojki ' +
  'Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Malayalam Mandaic Manichaean Marchen ' +
  'Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean ' +
  'New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian ' +
  'Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician ' +
  'Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng ' +
  'Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Thai ' +
  'Tibetan Tifinagh Tirhuta Ugaritic Vai Warang_Citi Yi'
).split(' ');

/** Characters that have had another script since. */
const formerScripts: Readonly<Record<string, string>> = {
  '\u0953': 'Devanagari',
  '\u0954': 'Devanagari',
  '\u0589': 'Common',
  '\u061c': 'Common',
  '\u30fc': 'Han',
};

/** 0: none, or any. */
type ScriptNumber = number;

const scriptNumbers = new Map(scripts.map((script, i): [string, ScriptNumber] => [script, i + 1]));
const han = scriptNumbers.get('Han')!;
const formerNumbers = new Map(
  Object.entries(formerScripts).map(([character, script]) => [character.codePointAt(0)!, scriptNumbers.get(script)!]),
);

export function createScriptCutter(): PreTokenizer {
  const tables = Array.from(
    { length: Math.ceil(scripts.length / setsPerTable) },
    (_, i) =>
      new CodePointTable(
        scripts
          .slice(i * setsPerTable, (i + 1) * setsPerTable)
          .map((script) => `[\\p{Script=${script}}--${classOf.assignedSinceUnicode10}]`),
      ),
  );
  const scriptOf = (code: number): ScriptNumber => {
    if (code === 0x20) return 0;
    const former = formerNumbers.get(code);
    if (former !== undefined) return former;
    for (const [i, table] of tables.entries()) {
      const bits = table.bits(code) & 0x7fff_ffff;
      if (bits === 0) continue;
      const number = i * setsPerTable + 32 - Math.clz32(bits);
      return number === scriptNumbers.get('Hiragana') || number === scriptNumbers.get('Katakana') ? han : number;
    }
    return 0;
  };
  return (text: AlignedText, start, end, emit) => {
    // What comes before the first character with a script is dropped by the reference.
    let open = -1;
    let last: ScriptNumber = 0;
    for (let at = start; at < end; at += widthAt(text.text, at)) {
      const script = scriptOf(text.text.codePointAt(at)!);
      if (script === 0 || script === last) continue;
      if (open >= 0) emit(text, open, at);
      open = at;
      last = script;
    }
    if (open >= 0) emit(text, open, end);
  };
}
