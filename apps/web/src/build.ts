// A pipeline may set a variable and leave it empty, hence not `??`.

/** The version this page was built from: `VITE_VERSION` when it was built. Defaults to "dev". */
export const version = import.meta.env.VITE_VERSION || 'dev';

/** The commit this page was built from: `VITE_COMMIT` when it was built. Defaults to "unknown". */
export const commit = import.meta.env.VITE_COMMIT || 'unknown';
