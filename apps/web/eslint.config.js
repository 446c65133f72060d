import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import vue from 'eslint-plugin-vue';
import { defineConfig, globalIgnores } from 'eslint/config';
import typescript from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['dist']),
  js.configs.recommended,
  typescript.configs.strictTypeChecked,
  vue.configs['flat/recommended'],
  {
    languageOptions: {
      parserOptions: {
        parser: typescript.parser,
        projectService: true,
        extraFileExtensions: ['.vue'],
      },
    },
    rules: {
      // TypeScript finds what is not defined, with the right globals for each file.
      'no-undef': 'off',
      // They hand their promises to node's test runner.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: ['describe', 'it'], package: 'node:test' }] },
      ],
      // A number reads well in a template literal.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A style attribute is what the site's Content-Security-Policy blocks.
      'vue/no-static-inline-styles': 'error',
      'vue/no-v-html': 'error',
    },
  },
  {
    // ESLint does not see the types of .vue files where they are imported; vue-tsc does, and checks them.
    files: ['src/main.ts', 'src/router.ts', '**/*.test.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  prettier,
);
