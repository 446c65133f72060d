// The smoke test finds a good page good, and each thing that may be wrong with a release.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { FakeApi } from './fake-api.ts';
import { serve } from './site.ts';

const VERSION = process.env.VITE_VERSION ?? 'dev';

/** Runs the smoke test; returns its exit code and what it complains about. */
function smoke(environment: Record<string, string>): Promise<{ code: number; problems: string }> {
  const env = { ...process.env, SITE_URL: '', VERSION, ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, 'smoke.mjs')], { env }, (error, _, problems) => {
      resolve({ code: error ? Number(error.code) : 0, problems });
    });
  });
}

/** Answers in the place of the site; false leaves the answer to it. */
type Instead = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Serves the page with something wrong. */
async function broken(instead: Instead, test: (url: string) => Promise<void>): Promise<void> {
  const site = await serve(new FakeApi().answer);
  const server = createServer((request, response) => {
    if (instead(request, response)) {
      return;
    }
    void fetch(site.url + (request.url ?? '')).then(async (answer) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
    await site.close();
  }
}

describe('the smoke test', () => {
  it('passes a page that is right', () =>
    broken(
      () => false,
      async (url) => {
        assert.deepEqual(await smoke({ SITE_URL: url }), { code: 0, problems: '' });
      },
    ));

  it('wants to know what to look at', async () => {
    const { code, problems } = await smoke({});
    assert.equal(code, 2);
    assert.match(problems, /SITE_URL or VERSION is not set/);
  });

  it('finds another version', () =>
    broken(
      () => false,
      async (url) => {
        const { code, problems } = await smoke({ SITE_URL: url, VERSION: 'v9.9.9' });
        assert.equal(code, 1);
        assert.match(problems, new RegExp(`^version v9.9.9: the page says: Version ${VERSION}`));
      },
    ));

  it('does not blame the page for services that sleep', () =>
    broken(
      ({ url }, response) => url?.startsWith('/api/') === true && Boolean(response.writeHead(503).end()),
      async (url) => {
        const { code, problems } = await smoke({ SITE_URL: url });
        assert.equal(code, 0);
        assert.match(problems, /answered with 503: are the services released, and is the environment awake\?/);
      },
    ));

  const wrongs: Record<string, { instead: Instead; problem: RegExp }> = {
    'headers that are missing': {
      instead: (_, response) => {
        // What the site says later is taken out.
        const writeHead = response.writeHead.bind(response);
        response.writeHead = ((status: number, headers: Record<string, string>) =>
          writeHead(status, { ...headers, 'content-security-policy': '' })) as typeof response.writeHead;
        return false;
      },
      problem: /^security headers: content-security-policy is missing$/m,
    },
    'an address that only the page knows': {
      instead: ({ url }, response) => url === '/orders' && Boolean(response.writeHead(404).end('no such file')),
      problem: /^an address within the page: \/orders is answered with 404$/m,
    },
    'services that are not reached': {
      instead: ({ url }, response) =>
        url?.startsWith('/api/') === true &&
        Boolean(response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>')),
      problem: /^GET \/api\/catalog\/products\?limit=1: 200 text\/html$/m,
    },
    'a script that is not there': {
      instead: ({ url }, response) => url?.endsWith('.css') === true && Boolean(response.writeHead(404).end()),
      problem: /^scripts and styles: console: Failed to load resource/m,
    },
  };
  for (const [name, { instead, problem }] of Object.entries(wrongs)) {
    it(`finds ${name}`, () =>
      broken(instead, async (url) => {
        const { code, problems } = await smoke({ SITE_URL: url });
        assert.equal(code, 1);
        assert.match(problems, problem);
      }));
  }
});
