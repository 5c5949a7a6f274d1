/** Writes docs/asyncapi.yaml. */
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { writeFileAtomic } from '@crucible/foundation';
import { asyncApiDocument } from './document.ts';

const path = fileURLToPath(new URL('../../../../docs/asyncapi.yaml', import.meta.url));
const head = '# Written by libs/bus/src/asyncapi/write.ts from the catalogue in libs/bus; do not edit.\n';
writeFileAtomic(
  path,
  head + stringify(asyncApiDocument(), { lineWidth: 118, aliasDuplicateObjects: false, singleQuote: true }),
);
