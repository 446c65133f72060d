import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [vue()],
  define: {
    __VUE_OPTIONS_API__: false,
  },
  build: {
    // The site's Content-Security-Policy allows no font or style as data:, so everything is a file of its own.
    assetsInlineLimit: 0,
    // There is one chunk, so nothing to preload.
    modulePreload: false,
  },
  server: {
    // CloudFront puts page and services under one name; here the development server does. The services run on 8080.
    proxy: { '/api': 'http://localhost:8080' },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
    unstubGlobals: true,
  },
});
