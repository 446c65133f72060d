// Serves dist/ as CloudFront does: with the headers of constructs/frontend/headers.go, the fallback of spa.js, and the
// API under the same name. All three are read from where the platform has them, so that they cannot drift apart.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { runInNewContext } from 'node:vm';

const DIST = join(import.meta.dirname, '../dist');
const FRONTEND = join(import.meta.dirname, '../../../constructs/frontend');

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

type Handler = (event: { request: { uri: string } }) => { uri: string };

/** Answers requests below /api. */
export type Api = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A site that is being served. */
export interface Site {
  url: string;
  close: () => Promise<void>;
}

/** Serves the site, and the API beside it. */
export async function serve(api: Api): Promise<Site> {
  const fallback = runInNewContext(`${await readFile(join(FRONTEND, 'spa.js'), 'utf8')}; handler`) as Handler;
  const goCode = await readFile(join(FRONTEND, 'headers.go'), 'utf8');
  const headers = securityHeaders(goCode);
  const caching = cacheControls(await readFile(join(FRONTEND, 'frontend.go'), 'utf8'));

  async function file(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const assets = pathname.startsWith('/assets/');
    const path = normalize(assets ? pathname : fallback({ request: { uri: pathname } }).uri);
    const all = { ...headers, 'Cache-Control': assets ? caching.assets : caching.pages };
    try {
      const content = await readFile(join(DIST, path));
      response.writeHead(200, { ...all, 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream' });
      response.end(content);
    } catch {
      response.writeHead(404, all).end();
    }
  }

  const server = createServer((request, response) => {
    const answer = request.url?.startsWith('/api/') ? api(request, response) : file(request, response);
    answer.catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The headers that headers.go adds to everything. */
export function securityHeaders(goCode: string): Record<string, string> {
  const policy = match(goCode, /contentSecurityPolicy = strings\.Join\(\[\]string\{([^}]*)\}, "; "\)/);
  return {
    'Content-Security-Policy': [...policy.matchAll(/"([^"]*)"/g)].map(([, directive]) => directive).join('; '),
    'Permissions-Policy': match(goCode, /"Permissions-Policy"\), Value: jsii\.String\("([^"]*)"\)/),
    'Referrer-Policy': match(goCode, /ReferrerPolicy: jsii\.String\("([^"]*)"\)/),
    'Strict-Transport-Security': `max-age=${match(goCode, /AccessControlMaxAgeSec: jsii\.Number\((\d+)\)/)}; includeSubDomains`,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': match(goCode, /FrameOption: jsii\.String\("([^"]*)"\)/),
  };
}

function cacheControls(goCode: string): { pages: string; assets: string } {
  const of = (name: string) => match(goCode, new RegExp(`headers\\(scope, props, "${name}", "([^"]*)"\\)`));
  return { pages: of('pages'), assets: of('assets') };
}

function match(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) {
    throw new Error(`constructs/frontend does not say ${pattern.source}: it has changed, and this has to follow`);
  }
  return found;
}
