// One script, one style sheet and one page with fixed names: the daemon serves them with their
// content's tag, so that names need no hash. Nothing is inlined (Content-Security-Policy).
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    outDir: '../pkg/web/assets',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: true,
    rollupOptions: {
      output: {
        entryFileNames: 'app.js',
        assetFileNames: (asset) =>
          asset.names.some((name) => name.endsWith('.css')) ? 'app.css' : '[name][extname]',
      },
    },
  },
});
