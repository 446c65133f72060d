// The built page in a real browser, served as CloudFront serves it, with a fake of the services behind it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';

import { complaints, launch } from './browser.mjs';
import { FakeApi } from './fake-api.ts';
import { serve } from './site.ts';

const EMAIL = 'ada@example.com';
const TIMEOUT_MILLIS = 10_000;
// What the browser itself says about a request that failed, beside what the page shows.
const FAILED_REQUEST = /^console: Failed to load resource/;

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser.close();
});

interface Visit {
  page: Page;
  api: FakeApi;
  url: string;
}

/** Runs a test in a browser of its own against services of its own, and fails on what went wrong unseen. */
function visit(options: BrowserContextOptions, test: (visit: Visit) => Promise<void>, allowed?: RegExp) {
  return async () => {
    const api = new FakeApi();
    const site = await serve(api.answer);
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(TIMEOUT_MILLIS);
      const found = await complaints(page);
      await test({ page, api, url: site.url });
      assert.deepEqual(
        found.filter((complaint) => !allowed?.test(complaint)),
        [],
      );
      assert.deepEqual(api.breaches, []);
    } finally {
      await context.close();
      await site.close();
    }
  };
}

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true });
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });
const cards = (page: Page) => page.getByRole('list', { name: 'Products' }).getByRole('listitem');
const retry = (page: Page) => button(page, 'Try again');
const path = (page: Page) => new URL(page.url()).pathname + new URL(page.url()).search;

async function count(locator: Locator, wanted: number): Promise<void> {
  if (wanted) {
    await locator.nth(wanted - 1).waitFor();
  }
  await locator.nth(wanted).waitFor({ state: 'detached' });
}

async function addToBasket(page: Page, url: string, ...products: string[]): Promise<void> {
  await page.goto(url);
  for (const product of products) {
    await button(page, `Add ${product} to the basket`).click();
  }
}

async function order(page: Page, url: string): Promise<void> {
  await addToBasket(page, url, 'Coffee mug');
  await page.goto(`${url}/basket`);
  await page.getByLabel('E-mail').fill(EMAIL);
  await button(page, 'Place order').click();
}

describe('the catalogue', () => {
  it(
    'shows products with their pictures, and more of them when asked',
    visit({}, async ({ page, url }) => {
      await page.goto(url);
      await count(cards(page), 24);
      const picture = cards(page).filter({ hasText: 'Bread board' }).getByRole('presentation');
      await picture.waitFor();
      await page.waitForFunction(() => document.querySelector('img')?.naturalWidth);
      await button(page, 'Load more').click();
      await count(cards(page), 30);
      await button(page, 'Load more').waitFor({ state: 'detached' });
      const focused = await page.evaluate(() => document.activeElement?.textContent);
      assert.equal(focused, await cards(page).nth(24).getByRole('link').textContent());
    }),
  );

  it(
    'keeps search and category in the address, also when it is loaded anew',
    visit({}, async ({ page, url }) => {
      await page.goto(url);
      await page.getByRole('searchbox').fill('mug');
      await count(cards(page), 1);
      assert.equal(path(page), '/?search=mug');
      await page.reload();
      await count(cards(page), 1);
      assert.equal(await page.getByRole('searchbox').inputValue(), 'mug');
      await page.getByRole('link', { name: 'Furniture' }).click();
      await page.getByRole('heading', { name: 'Nothing found' }).waitFor();
      await page.getByRole('link', { name: 'Show everything' }).click();
      await count(cards(page), 24);
      await page.getByRole('link', { name: 'Furniture' }).click();
      await count(cards(page), 2);
      assert.equal(path(page), '/?category=Furniture');
    }),
  );

  it(
    'is as it was left when one comes back from a product',
    visit({}, async ({ page, api, url }) => {
      await page.goto(url);
      await button(page, 'Load more').click();
      await count(cards(page), 30);
      await page.getByRole('link', { name: 'Wool blanket' }).click();
      await heading(page, 'Wool blanket').waitFor();
      const requests = api.requests.length;
      await page.goBack();
      await count(cards(page), 30);
      await page.waitForFunction(() => scrollY > 0);
      assert.equal(await page.title(), 'Well-made things · Shop');
      assert.equal(api.requests.length, requests);
    }),
  );

  it(
    'draws something where a picture is missing or fails',
    visit(
      {},
      async ({ page, api, url }) => {
        api.fail(/picture$/, 'unavailable');
        await page.goto(url);
        await count(page.locator('svg.placeholder'), 24);
      },
      FAILED_REQUEST,
    ),
  );
});

describe('addresses', () => {
  it(
    'lead to their page when they are opened directly',
    visit(
      {},
      async ({ page, url }) => {
        for (const [address, title] of [
          ['/products/oak-desk', 'Oak desk'],
          ['/basket', 'Basket'],
          ['/orders', 'Your orders'],
          ['/orders/0d1c3b1e-0000-4000-8000-000000000000', 'Your order'],
          ['/no/such/page', 'Nothing here'],
          ['/products/no-such-product', 'No such product'],
        ] as const) {
          await page.goto(url + address);
          await heading(page, title).waitFor();
          await page.waitForFunction((wanted) => document.title === wanted, `${title} · Shop`);
        }
        assert.equal((await page.request.get(`${url}/assets/missing.js`)).status(), 404);
      },
      FAILED_REQUEST,
    ),
  );

  it(
    'move the focus to the heading when they change',
    visit({}, async ({ page, url }) => {
      await page.goto(url);
      for (const [link, title] of [
        ['Orders', 'Your orders'],
        ['Basket', 'Basket'],
        ['Catalogue', 'Well-made things'],
        ['Oak desk', 'Oak desk'],
      ] as const) {
        await page.getByRole('link', { name: link, exact: true }).click();
        await heading(page, title).waitFor();
        assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H1', link);
      }
    }),
  );

  it(
    'all come with the headers of the site',
    visit({}, async ({ page, url }) => {
      const index = await page.goto(`${url}/basket`);
      assert.match(index?.headers()['content-security-policy'] ?? '', /^default-src 'self'; .*object-src 'none'/);
      assert.equal(index?.headers()['cache-control'], 'no-cache');
      const script = (await page.locator('script').getAttribute('src')) ?? '';
      assert.match(script, /^\/assets\/[\w-]+\.js$/);
      const asset = await page.request.get(url + script);
      assert.match(asset.headers()['cache-control'] ?? '', /immutable/);
    }),
  );
});

describe('an order', () => {
  it(
    'is put together in the basket, which is kept',
    visit({}, async ({ page, url }) => {
      await addToBasket(page, url, 'Coffee mug', 'Coffee mug', 'Desk lamp');
      await page.goto(`${url}/products/oak-desk`);
      await button(page, 'One more').click();
      await button(page, 'Add to basket').click();
      await page.getByText('In the basket: 2.').waitFor();
      await page.getByRole('link', { name: 'Go to the basket' }).click();
      await page.getByText('€595.00').waitFor();
      await button(page, 'Remove Oak desk').click();
      await page.getByText('€97.00').waitFor();
      const mugs = page.getByRole('group', { name: 'Quantity of Coffee mug' });
      await mugs.getByLabel('Quantity').fill('5');
      await mugs.getByLabel('Quantity').press('Tab');
      await page.reload();
      await page.getByText('€139.00').waitFor();
      await page.getByRole('link', { name: 'Basket 6 items' }).waitFor();
    }),
  );

  it(
    'is followed until it is shipped and mailed, and then no more',
    visit({}, async ({ page, api, url }) => {
      await order(page, url);
      await heading(page, 'Your order').waitFor();
      await page.getByText('We have your order, and are asking your bank.').waitFor();
      const steps = page.getByRole('listitem').filter({ has: page.locator('.dot') });
      for (const [event, sentence, done] of [
        ['confirmed', 'Your order is confirmed. The mail about it follows.', 2],
        // The mail and the parcel leave independently of each other.
        ['shipped', 'Your order is on its way to you. The mail about it follows.', 3],
        ['mailed', 'Your order is on its way to you.', 4],
      ] as const) {
        api.happen(event);
        await page.getByText(sentence, { exact: true }).waitFor();
        await count(steps.and(page.locator('.done')), done);
      }
      const requests = api.requests.length;
      await page.waitForTimeout(3_000);
      assert.equal(api.requests.length, requests);

      await page.getByRole('link', { name: '← Your orders' }).click();
      await page.getByText('1 × Coffee mug').waitFor();
      await page.getByText('Shipped', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'Basket', exact: true }).click();
      await page.getByRole('heading', { name: 'The basket is empty' }).waitFor();
    }),
  );

  it(
    'with a declined card ends there',
    visit({}, async ({ page, api, url }) => {
      await addToBasket(page, url, 'Coffee mug');
      await page.goto(`${url}/basket`);
      await page.getByLabel('E-mail').fill(EMAIL);
      await page.getByLabel('Test card •••• 0002').check();
      await button(page, 'Place order').click();
      await page.getByText('The card was declined.').waitFor();
      await count(page.getByRole('listitem').filter({ has: page.locator('.dot') }), 2);
      const requests = api.requests.length;
      await page.waitForTimeout(2_000);
      assert.equal(api.requests.length, requests);
    }),
  );

  it(
    'is placed once, though its answer is lost, the page loaded anew, and it is sent again',
    visit(
      {},
      async ({ page, api, url }) => {
        api.fail(/^POST/, 'lost');
        await order(page, url);
        await page.getByRole('heading', { name: 'We have not heard back' }).waitFor();
        assert.equal(api.placed.size, 1);
        assert.ok(await button(page, 'Remove Coffee mug').isDisabled());
        await page.reload();
        await retry(page).click();
        await page.getByText('cannot be reached').waitFor();
        await page.getByRole('link', { name: 'Catalogue' }).click();
        await page.getByRole('link', { name: 'See to it' }).click();
        api.mend();
        await retry(page).click();
        await heading(page, 'Your order').waitFor();
        assert.equal(api.placed.size, 1);
        await page.getByRole('link', { name: 'Basket', exact: true }).waitFor();
      },
      FAILED_REQUEST,
    ),
  );

  it(
    'that is refused says why, and can be changed and placed',
    visit(
      {},
      async ({ page, api, url }) => {
        const mug = api.products.find((product) => product.id === 'coffee-mug');
        assert.ok(mug);
        await addToBasket(page, url, 'Coffee mug', 'Coffee mug');
        await page.goto(`${url}/basket`);
        await button(page, 'Place order').click();
        await page.getByText('Please give an e-mail address').waitFor();
        await page.getByLabel('E-mail').fill('ada@exam_ple.com');
        await button(page, 'Place order').click();
        await page.locator('#email-problem').getByText('is not an e-mail address').waitFor();
        mug.stock = 1;
        await page.getByLabel('E-mail').fill(EMAIL);
        await button(page, 'Place order').click();
        await page.getByText('There is not enough of Coffee mug.').waitFor();
        await page.getByText('Coffee mug: only 1 are left').waitFor();
        await page.getByText('Only 1 left.').waitFor();
        await button(page, 'One less').click();
        await button(page, 'Place order').click();
        await heading(page, 'Your order').waitFor();
      },
      FAILED_REQUEST,
    ),
  );

  it(
    'takes no more than a keyboard',
    visit({}, async ({ page, api, url }) => {
      const tabTo = async (target: Locator): Promise<void> => {
        await target.waitFor();
        for (let presses = 0; presses < 80; presses++) {
          await page.keyboard.press('Tab');
          if (await target.evaluate((element) => element === document.activeElement)) {
            return;
          }
        }
        assert.fail(`Tab does not reach ${await target.ariaSnapshot()}`);
      };
      await page.goto(url);
      await tabTo(page.getByRole('link', { name: 'Skip to the content' }));
      await page.keyboard.press('Enter');
      await tabTo(page.getByRole('searchbox'));
      await page.keyboard.type('mug');
      await count(cards(page), 1);
      await tabTo(page.getByRole('link', { name: 'Coffee mug' }));
      await page.keyboard.press('Enter');
      await tabTo(button(page, 'One more'));
      await page.keyboard.press('Space');
      await tabTo(button(page, 'Add to basket'));
      await page.keyboard.press('Enter');
      await tabTo(page.getByRole('link', { name: 'Go to the basket' }));
      await page.keyboard.press('Enter');
      await tabTo(page.getByLabel('E-mail'));
      await page.keyboard.type(EMAIL);
      await tabTo(page.getByLabel('Test card •••• 4242'));
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowUp');
      await tabTo(button(page, 'Place order'));
      await page.keyboard.press('Enter');
      await page.getByText('We have your order, and are asking your bank.').waitFor();
      assert.equal([...api.placed.values()][0]?.order.lines[0]?.quantity, 2);
    }),
  );
});

describe('when the services fail', () => {
  for (const failure of ['unavailable', 'unreachable'] as const) {
    it(
      `every page says so and tries again: ${failure}`,
      visit(
        {},
        async ({ page, api, url }) => {
          api.fail(/products$/, failure);
          await page.goto(url);
          await page.getByRole('heading', { name: 'The catalogue could not be read' }).waitFor();
          api.mend();
          await retry(page).click();
          await count(cards(page), 24);

          api.fail(/products$/, failure);
          await button(page, 'Load more').click();
          await page.getByRole('heading', { name: 'The rest could not be read' }).waitFor();
          api.mend();
          await retry(page).click();
          await count(cards(page), 30);

          api.fail(/oak-desk$/, failure);
          await page.goto(`${url}/products/oak-desk`);
          await page.getByRole('heading', { name: 'The product could not be read' }).waitFor();
          api.mend();
          await retry(page).click();
          await button(page, 'Add to basket').click();

          api.fail(/oak-desk$/, failure);
          await page.getByRole('link', { name: 'Go to the basket' }).click();
          await page.getByRole('heading', { name: 'What is in the basket could not be read' }).waitFor();
          assert.ok(await button(page, 'Place order').isDisabled());
          api.mend();
          await retry(page).click();
          await page.getByText('€249.00').first().waitFor();

          api.fail(/^POST/, failure);
          await page.getByLabel('E-mail').fill(EMAIL);
          await button(page, 'Place order').click();
          await page.getByRole('heading', { name: 'We have not heard back' }).waitFor();
          api.mend();
          api.fail(/^GET \/api\/orders/, failure);
          await retry(page).click();
          await page.getByRole('heading', { name: 'How the order stands could not be read' }).waitFor();
          api.mend();
          await retry(page).click();
          await page.getByText('We have your order, and are asking your bank.').waitFor();

          api.fail(/^GET \/api\/orders/, failure);
          await page.goto(`${url}/orders`);
          await page.getByRole('heading', { name: 'This order could not be read' }).waitFor();
          api.mend();
          await retry(page).click();
          await page.getByText('1 × Oak desk').waitFor();
          assert.equal(api.placed.size, 1);
        },
        FAILED_REQUEST,
      ),
    );
  }

  it(
    'an order that is no more can be taken off the list',
    visit(
      {},
      async ({ page, api, url }) => {
        await order(page, url);
        await heading(page, 'Your order').waitFor();
        api.placed.clear();
        await page.goto(`${url}/orders`);
        await button(page, 'Remove from the list').click();
        await page.getByRole('heading', { name: 'No orders yet' }).waitFor();
      },
      FAILED_REQUEST,
    ),
  );
});

/** Every page in every state that looks different, for what has to hold on all of them. */
async function* everyPage({ page, api, url }: Visit): AsyncGenerator<string> {
  await page.goto(`${url}/basket`);
  await page.getByRole('heading', { name: 'The basket is empty' }).waitFor();
  yield 'empty basket';
  await page.goto(`${url}/no/such/page`);
  await heading(page, 'Nothing here').waitFor();
  yield 'not found';
  await addToBasket(page, url, 'Coffee mug', 'Desk lamp');
  await page.waitForLoadState('networkidle');
  yield 'catalogue';
  await page.goto(`${url}/products/oak-desk`);
  await button(page, 'Add to basket').click();
  await page.getByText('In the basket: 1.').waitFor();
  yield 'product';
  await page.goto(`${url}/basket`);
  await button(page, 'Place order').click();
  await page.getByText('Please give an e-mail address').waitFor();
  yield 'basket';
  api.fail(/^POST/, 'unavailable');
  await page.getByLabel('E-mail').fill(EMAIL);
  await button(page, 'Place order').click();
  await page.getByRole('heading', { name: 'We have not heard back' }).waitFor();
  yield 'basket in doubt';
  api.mend();
  await retry(page).click();
  await page.getByText('We have your order, and are asking your bank.').waitFor();
  api.happen('confirmed');
  await page.getByText('Your order is confirmed. The mail about it follows.').waitFor();
  yield 'order';
  await page.goto(`${url}/orders`);
  await page.getByText('1 × Oak desk').waitFor();
  yield 'orders';
  api.fail(/./, 'unavailable');
  await page.goto(url);
  await retry(page).waitFor();
  yield 'error';
}

describe('every page', () => {
  it(
    'fits into 320 pixels',
    visit(
      { viewport: { width: 320, height: 640 } },
      async (visited) => {
        for await (const name of everyPage(visited)) {
          assert.equal(await visited.page.evaluate(() => document.documentElement.scrollWidth), 320, name);
        }
      },
      FAILED_REQUEST,
    ),
  );

  for (const colorScheme of ['light', 'dark'] as const) {
    it(
      `has no accessibility violation that axe finds: ${colorScheme}`,
      visit(
        { colorScheme },
        async (visited) => {
          for await (const name of everyPage(visited)) {
            // Evaluated by the debugger, which the page's policy does not bind.
            await visited.page.evaluate(axe.source);
            const { violations } = await visited.page.evaluate(() =>
              (window as unknown as { axe: typeof axe }).axe.run(),
            );
            assert.deepEqual(
              violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join()}`),
              [],
              name,
            );
          }
        },
        FAILED_REQUEST,
      ),
    );
  }
});
