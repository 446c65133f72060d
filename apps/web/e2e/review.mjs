// Takes a picture of a plan's review as GitHub shows it, with all that unfolds.
//
//   node e2e/review.mjs review.md review.png
import { readFile, writeFile } from 'node:fs/promises';

import { marked } from 'marked';

import { launch, small } from './browser.mjs';

const [, , from, to] = process.argv;
if (!from || !to) {
  console.error('usage: review.mjs review.md review.png');
  process.exit(2);
}

// GitHub's look, as far as a review has any.
const STYLE = `
  body { max-width: 880px; margin: 0; padding: 8px 24px; font: 14px/1.5 'DejaVu Sans', sans-serif; color: #1f2328; }
  h3 { font-size: 18px } h4 { font-size: 14px }
  code { padding: 0.2em 0.4em; border-radius: 6px; background: #eff1f3; font: 12px 'DejaVu Sans Mono', monospace; }
  h3 code, td code { font-size: 14px }
  table { border-collapse: collapse; font-size: 16px } th, td { padding: 6px 12px; border: 1px solid #d1d9e0 }
  ul { padding-left: 28px } li { margin: 4px 0 }`;

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 928, height: 600 } });
const html = await marked.parse(await readFile(from, 'utf8'));
await page.setContent(`<!doctype html><style>${STYLE}</style>${html.replaceAll('<details>', '<details open>')}`);
await writeFile(to, small(await page.screenshot({ fullPage: true })));
await browser.close();
