/**
 * Cutting a text where the script changes, as sentencepiece does: Hiragana, Katakana and the prolonged sound mark count
 * as Han; spaces, and characters without a script, go with either side.
 */
import type { AlignedText } from '../aligned-text.ts';
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

export function createScriptCutter(): PreTokenizer {
  const tests = scripts.map((script) => ({ script, test: new RegExp(`^\\p{Script=${script}}$`, 'v') }));
  const later = new RegExp(classOf.assignedSinceUnicode10, 'v');
  const known = new Map<string, string | null>();
  /** null: any. */
  const scriptOf = (character: string): string | null => {
    if (character === ' ' || later.test(character)) return null;
    const former = formerScripts[character];
    if (former !== undefined) return former;
    const found = tests.find(({ test }) => test.test(character))?.script ?? null;
    return found === 'Hiragana' || found === 'Katakana' ? 'Han' : found;
  };
  const remembered = (character: string): string | null => {
    let script = known.get(character);
    if (script === undefined) known.set(character, (script = scriptOf(character)));
    return script;
  };
  return (text: AlignedText, start, end, emit) => {
    // What comes before the first character with a script is dropped by the reference.
    let open = -1;
    let last: string | null | undefined;
    let at = start;
    for (const character of text.text.slice(start, end)) {
      const script = remembered(character);
      if (script !== null && script !== last) {
        if (open >= 0) emit(text, open, at);
        open = at;
      }
      if (script !== null) last = script;
      at += character.length;
    }
    if (open >= 0) emit(text, open, end);
  };
}
