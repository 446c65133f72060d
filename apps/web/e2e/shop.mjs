// Buys something in a running shop, as a person does, and follows the order until it is mailed and shipped.
//
//   SHOP_URL=https://shop.example.com node e2e/shop.mjs
//
// $SHOTS is a folder for screenshots; none are made by default. $CHROMIUM and $CHROMIUM_ARGS: see browser.mjs.
// Prints a line per step, and as its last line what it ordered, as JSON. Any error of the page, and any answer of the
// site that is one, is a failure.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { complaints, launch, small } from './browser.mjs';

const SHOWN_TIMEOUT_MILLIS = 30_000;
const SHIPPED_TIMEOUT_MILLIS = 120_000;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const { SHOP_URL: address, SHOTS: shots } = process.env;
if (!address) {
  console.error('SHOP_URL is not set: give the address of a running shop');
  process.exit(2);
}
const site = new URL(address);
const begin = Date.now();
const email = `buyer-${begin.toString(36)}@example.com`;

/** @param {string} text */
function say(text) {
  console.log(`${((Date.now() - begin) / 1000).toFixed(1).padStart(6)} s  ${text}`);
}

/**
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
async function shoot(page, name) {
  if (!shots) {
    return;
  }
  await page.waitForLoadState('networkidle');
  await mkdir(shots, { recursive: true });
  await writeFile(join(shots, `${name}.png`), small(await page.screenshot()));
  say(`screenshot ${name}.png`);
}

const browser = await launch();
const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: 'reduce' });
const page = await context.newPage();
page.setDefaultTimeout(SHOWN_TIMEOUT_MILLIS);
const found = await complaints(page);
try {
  page.on('response', (response) => {
    if (response.status() >= 400) {
      found.push(`${response.status()} ${response.request().method()} ${response.url()}`);
    }
  });
  const check = () => {
    if (found.length) {
      throw new Error('the page complains');
    }
  };
  const button = (/** @type {string} */ name) => page.getByRole('button', { name });
  const heading = (/** @type {string} */ name) => page.getByRole('heading', { name, exact: true });

  await page.goto(site.href);
  const cards = page.getByRole('list', { name: 'Products' }).getByRole('listitem');
  await cards.first().waitFor();
  say(`catalogue: ${await cards.count()} products`);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0));
  say(`pictures: ${await page.locator('img').count()}`);
  check();
  await shoot(page, 'catalogue');
  await page.setViewportSize(PHONE);
  await shoot(page, 'mobile');
  await page.setViewportSize(DESKTOP);

  await page.goto(new URL('/products/oak-desk', site).href);
  await heading('Oak desk').waitFor();
  say('product: Oak desk, by its address');
  await shoot(page, 'product');
  await button('Add to basket').click();
  await page.getByRole('link', { name: 'Catalogue', exact: true }).click();
  for (const name of ['Coffee mug', 'Tea pot']) {
    await button(`Add ${name} to the basket`).click();
  }
  await page.getByRole('link', { name: 'Basket' }).click();
  await page.getByLabel('E-mail').fill(email);
  const total = page.getByRole('status').filter({ hasText: /Total\s+€/ });
  await total.waitFor();
  say(`basket: ${(await total.innerText()).replace(/\s+/g, ' ')}`);
  check();
  await shoot(page, 'basket');

  await button('Place order').click();
  await page.waitForURL('**/orders/*');
  const id = new URL(page.url()).pathname.split('/').at(-1);
  say(`order ${id} placed`);
  const deadline = Date.now() + SHIPPED_TIMEOUT_MILLIS;
  for (const step of ['Confirmed', 'Mailed', 'Shipped']) {
    const done = page.locator('li.done').filter({ has: heading(step) });
    await done.waitFor({ timeout: Math.max(deadline - Date.now(), 1) });
    say(`order ${step.toLowerCase()}`);
  }
  await page.getByText('Your order is on its way to you.', { exact: true }).waitFor();
  await shoot(page, 'order');

  await page.reload();
  await page.getByText('Your order is on its way to you.', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  await page.getByText('1 × Oak desk').waitFor();
  say('order listed');
  check();
  console.log(JSON.stringify({ order: id, email, seconds: Math.round((Date.now() - begin) / 1000) }));
} catch (error) {
  // Why something did not appear is rarely in the error that it did not.
  console.error([String(error), ...found].join('\n'));
  await shoot(page, 'failure');
  process.exitCode = 1;
} finally {
  await browser.close();
}
