// Looks at a page right after its release, as its first visitor: does this version serve, whole, and on the way to the services?
//
//   SITE_URL=https://shop.example.com VERSION=v1.2.3 npm run smoke
//
// $CHROMIUM and $CHROMIUM_ARGS: see browser.mjs. Names all that is wrong at once, and ends with 1 then.
import { complaints, launch } from './browser.mjs';

const SHOWN_TIMEOUT_MILLIS = 15_000;
const API = '/api/catalog/products?limit=1';
// The services sleep, or are not released: no fault of the page, which may well be released at night.
const UNANSWERED = /\b50[234]\b/;
// What constructs/frontend/headers.go adds to every answer.
const HEADERS = {
  'content-security-policy': /default-src 'self'/,
  'permissions-policy': /camera=\(\)/,
  'referrer-policy': /strict-origin/,
  'strict-transport-security': /max-age=\d{7}/,
  'x-content-type-options': /nosniff/,
  'x-frame-options': /DENY/,
};

const { SITE_URL: address, VERSION: version } = process.env;
if (!address || !version) {
  console.error('SITE_URL or VERSION is not set: give the address of the page, and the version that it should be');
  process.exit(2);
}

const browser = await launch();
/** @type {string[]} */
const wrong = [];

/**
 * Does one check. What it finds, by its error, is told with all the rest.
 *
 * @param {string} name
 * @param {() => Promise<void>} look
 */
async function check(name, look) {
  try {
    await look();
    console.log(`${name}: ok`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    wrong.push(`${name}: ${message.split('\nCall log:')[0]}`);
  }
}

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(SHOWN_TIMEOUT_MILLIS);
  const found = await complaints(page);
  const heading = (/** @type {string} */ name) => page.getByRole('heading', { level: 1, name, exact: true });
  const open = async (/** @type {string} */ path) => {
    const response = await page.goto(new URL(path, address).href);
    if (!response?.ok()) {
      throw new Error(`${path} is answered with ${response?.status() ?? 'nothing'}`);
    }
    return response;
  };

  await check('security headers', async () => {
    const headers = (await open('/')).headers();
    const bad = Object.entries(HEADERS).filter(([name, pattern]) => !pattern.test(headers[name] ?? ''));
    if (bad.length) {
      throw new Error(bad.map(([name]) => `${name} is ${headers[name] || 'missing'}`).join(', '));
    }
  });
  await check(`version ${version}`, async () => {
    await open('/');
    const served = await page.getByRole('contentinfo').getByText('Version ').innerText();
    if (!served.split(' ').includes(version)) {
      throw new Error(`the page says: ${served}`);
    }
  });
  await check('an address within the page', async () => {
    await open('/orders');
    await heading('Your orders').waitFor();
  });
  await check(`GET ${API}`, async () => {
    await open('/orders');
    const { status, type } = await page.evaluate(async (path) => {
      const response = await fetch(path);
      return { status: response.status, type: response.headers.get('content-type') ?? '' };
    }, API);
    if (UNANSWERED.test(String(status))) {
      console.warn(`${API} is answered with ${status}: are the services released, and is the environment awake?`);
    } else if (status !== 200 || !type.includes('json')) {
      throw new Error(`${status} ${type}`);
    }
  });
  await check('scripts and styles', async () => {
    await open('/orders');
    await page.waitForLoadState('networkidle');
    const faults = found.filter((complaint) => !UNANSWERED.test(complaint));
    if (faults.length) {
      throw new Error([...new Set(faults)].join('\n'));
    }
  });
} finally {
  await browser.close();
}
if (wrong.length) {
  console.error(wrong.join('\n'));
  process.exitCode = 1;
}
