import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom. Two tags per project (package.json#nx.tags); CONTRIBUTING.md has the same table in prose.
 * scope:ml knows nothing of networks and processes; the apps join it with scope:platform.
 */
const boundaries = [
  { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared'] },
  { sourceTag: 'scope:ml', onlyDependOnLibsWithTags: ['scope:ml', 'scope:shared'] },
  { allSourceTags: ['scope:platform', 'type:lib'], onlyDependOnLibsWithTags: ['scope:platform', 'scope:shared'] },
  { sourceTag: 'type:generated', onlyDependOnLibsWithTags: ['type:generated'] },
  { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:lib', 'type:generated', 'type:testing'] },
  { sourceTag: 'type:testing', onlyDependOnLibsWithTags: ['type:lib', 'type:generated', 'type:testing'] },
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:lib', 'type:generated', 'type:testing'] },
  { sourceTag: 'type:host', onlyDependOnLibsWithTags: ['type:app', 'type:lib', 'type:generated', 'type:testing'] },
  { sourceTag: 'type:check', onlyDependOnLibsWithTags: ['*'] },
];

/** Third-party packages with one door each: everything else goes through the library that owns them. */
const doors = [
  { owner: 'libs/tensor', packages: ['onnxruntime-node', 'onnxruntime-common'] },
  { owner: 'libs/rpc', packages: ['@grpc/*', 'grpc-health-check'] },
  { owner: 'libs/bus', packages: ['@nats-io/*'] },
];

const sources = ['apps/**/*.ts', 'libs/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'];

function closedDoors(closed) {
  return { patterns: closed.map((door) => ({ group: door.packages, message: `Only ${door.owner} imports this.` })) };
}

export default tseslint.config(
  { ignores: ['**/node_modules', '**/out-tsc', '**/dist', '.nx', 'libs/protos/src', '**/generated'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { depConstraints: boundaries, banTransitiveDependencies: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Hot loops over typed arrays index within bounds that they have just computed.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Overflows the stack on types that contain themselves, as trees of parameters do (typescript-eslint 8.73).
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  { files: sources, rules: { 'no-restricted-imports': ['error', closedDoors(doors)] } },
  ...doors.map((door) => ({
    files: [`${door.owner}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', closedDoors(doors.filter((other) => other !== door))] },
  })),
);
