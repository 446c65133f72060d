interface ImportMetaEnv {
  readonly VITE_VERSION?: string;
  readonly VITE_COMMIT?: string;
}
