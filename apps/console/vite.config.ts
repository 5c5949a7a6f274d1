import { defineConfig } from 'vite';

/** Where `npx vite`, the server for who works on the page, finds a gateway. */
const gateway = process.env['CRUCIBLE_CONSOLE_GATEWAY'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  build: {
    // The first that know light-dark() of CSS and iterators with helpers.
    target: ['chrome123', 'firefox131', 'safari18.4'],
    // The content security policy lets nothing in but files of our own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': gateway, '/healthz': gateway } },
});
