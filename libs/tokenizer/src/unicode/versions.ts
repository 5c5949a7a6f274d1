/**
 * What the parts of Hugging Face's tokenizers know of Unicode, where Node knows otherwise. Node 26 has Unicode 17; the
 * reference (0.23.3) mixes versions: Oniguruma and the crate `regex` have 16, `unicode-normalization-alignments` and the
 * scripts of `UnicodeScripts` 9, `unicode_categories` 8. Characters that came later are nothing in particular to them,
 * and so they have to be to us. versions.test.ts holds every code point against the reference.
 */

/** Assigned in Unicode 17. */
const assignedIn17 = codePoints(`
  88f c5c cdc 1acf-1add 1ae0-1aeb 20c1 2b96 a7ce-a7cf a7d2 a7d4 a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 10940-10959
  10ec5-10ec7 10ed0-10ed8 10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6
  187f8-187ff 18d09-18d1e 18d80-18df2 1ccfa-1ccfc 1ceba-1ced0 1cee0-1cef0 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff
  1f6d8 1f777-1f77a 1f8d0-1f8d8 1fa54-1fa57 1fa8a 1fa8e 1fac8 1facd 1faea 1faef 1fbfa 2b73a-2b73f 2cea2-2cead
  323b0-33479
`);

/** Assigned in Unicode 10 or later, or not yet. */
const assignedSince10 = codePoints(`
  560 588 5ef 61d 7fd-7ff 860-89f 8b5 8be-8d3 9fc-9fe a76 afa-aff b55 c04 c3c c5c-c5d c77 c84 cdc-cdd cf3-d00
  d04 d3b-d3c d81 e86 e89 e8c e8e-e93 e98 ea0 ea8-ea9 eac eba ece 170d 1715-171f 180f 1878 1abf-1aeb 1b4c-1b4f
  1b7d-1b7f 1c89-1cbf 1cf7 1cfa 1df6-1dfa 20bf-20c1 23ff 2427-2429 2b96-2b97 2bba-2bbc 2bc9 2bd2-2beb
  2bf0-2bff 2c2f 2c5f 2e45-2e5d 2ffc-2fff 312e-312f 31bb-31bf 31e4-31ef 32ff 4db6-4dbf 9fd6-9fff a7af
  a7b8-a7f6 a82c a8fe-a8ff ab66-ab6b fbc2-fbd2 fd40-fd4f fd90-fd91 fdc8-fdcf fdfe-fdff 1019c 1032d-1032f
  10570-105f3 10780-107ba 10940-10959 10a34-10a35 10a48 10d00-10d8f 10e80-10ff6 11070-11075 110c2-110cd
  11144-11147 111ce-111cf 1123f-11241 1133b 11380-113e2 1145a 1145e-11461 116b8-116b9 116d0-116e3 1171a
  11740-1183b 11900-11abf 11b00-11bf9 11d00-11fff 12f90-12ff2 1342f-143fa 16100-16139 16a70-16ac9 16d40-16ed3
  16f45-16f4f 16f7f-16f87 16fe1-16ff6 187ed-187ff 18af3-1affe 1b002-1b2fb 1cc00-1cfc3 1d1e9-1d1ea 1d2c0-1d2f3
  1d372-1d378 1df00-1df2a 1e030-1e7fe 1e94b 1ec71-1ed3d 1f10d-1f10f 1f12f 1f16c-1f16f 1f1ad 1f260-1f265
  1f6d3-1f6df 1f6f7-1f6fc 1f774-1f77f 1f7d5-1f7f0 1f8b0-1f90f 1f91f 1f928-1f92f 1f931-1f932 1f93f 1f94c-1f94f
  1f95f-1f97f 1f992-1f9bf 1f9c1-1fbfa 2a6d7-2a6df 2b735-2b73f 2cea2-2ee5d 30000-33479
`);

/** Classes of regular expressions (flag `v`), as the named part of the reference has them. */
export const classOf = {
  /** What Oniguruma and `regex` do not know. */
  assignedInUnicode17: `[${assignedIn17}]`,
  /** What normalization leaves alone, and has no script. */
  assignedSinceUnicode10: `[${assignedSince10}]`,
  whiteSpace: '\\p{White_Space}',
  /** Rust's char::is_numeric. */
  numeric: '\\p{N}',
  /** \w of `regex`. */
  word: `[[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]--[${assignedIn17}]]`,
  /** Of `unicode_categories`, and all of ASCII's. */
  punctuation: `[[\\p{P}${codePoints('21-2f 3a-40 5b-60 7b-7e 166d 111c9')}]--[${assignedSince10}${codePoints(
    '2e43-2e44 1144b-1144f 1145b 1145d 11660-1166c 11c41-11c45 11c70-11c71 1e95e-1e95f',
  )}]]`,
  /** Cc, Cf and Co of `unicode_categories`. */
  other: `[[\\p{Cc}\\p{Cf}\\p{Co}]--[${codePoints('890-891 8e2 110cd 13430-1343f')}]]`,
  /** Of `unicode_categories`. */
  nonspacingMark: `[[\\p{Mn}${codePoints('1734 1171e')}]--[${assignedSince10}${codePoints(
    '8d4-8e1 1885-1886 1dfb a8c5 a9bd 111c9 1123e 11438-1143f 11442-11444 11446 11c30-11c36 11c38-11c3d 11c3f ' +
      '11c92-11ca7 11caa-11cb0 11cb2-11cb3 11cb5-11cb6 1e000-1e006 1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a ' +
      '1e944-1e94a',
  )}]]`,
  /** Marks of `unicode-normalization-alignments`. */
  combiningMark: `[[\\p{M}${codePoints('1cf2-1cf3')}]--[${assignedSince10}${codePoints('111c9')}]]`,
} as const;

/** The inside of a class: every code point in a list of hexadecimal ranges. */
function codePoints(list: string): string {
  return list
    .trim()
    .split(/\s+/)
    .map((range) =>
      range
        .split('-')
        .map((code) => `\\u{${code}}`)
        .join('-'),
    )
    .join('');
}
