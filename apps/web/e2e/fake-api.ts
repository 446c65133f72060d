// A fake of the shop's services: the contract of its API without a database, queues or time to wait. It takes what the
// page sends as strictly as they do, and can be told to fail.
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

import type { NewOrder, Order, OrderEvent, Product } from '../src/api.ts';

const PICTURES = join(import.meta.dirname, '../../catalog/pictures');

// The catalogue of the real shop; behind it more of the same, so that there is more than one part of it.
const SEED: [id: string, category: string, cents: number][] = [
  ['oak-desk', 'Furniture', 24900],
  ['linen-chair', 'Furniture', 12900],
  ['desk-lamp', 'Lighting', 6900],
  ['wall-clock', 'Home', 4900],
  ['wool-blanket', 'Home', 8900],
  ['tea-pot', 'Kitchen', 3900],
  ['coffee-mug', 'Kitchen', 1400],
  ['plant-pot', 'Home', 1900],
  ['paper-notebook', 'Stationery', 1200],
  ['fountain-pen', 'Stationery', 5900],
  ['canvas-bag', 'Home', 4500],
  ['bread-board', 'Kitchen', 3400],
];
const COPIES = 18;

/** What goes wrong: the service answers 503, the connection breaks, or it breaks after the work is done. */
export type Failure = 'unavailable' | 'unreachable' | 'lost';

interface Placed {
  order: Order;
  token: string;
  hash: string;
}

class Refusal extends Error {
  readonly status: number;
  readonly errors: { field: string; detail: string }[];

  constructor(status: number, detail: string, errors: { field: string; detail: string }[] = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

/** The services, and what a test does to them and sees of them. */
export class FakeApi {
  /** Every order there is, by its idempotency key. */
  readonly placed = new Map<string, Placed>();
  /** What the page did that the contract forbids. */
  readonly breaches: string[] = [];
  /** How many requests came, by method and path. */
  readonly requests: string[] = [];
  readonly products: Product[] = [
    ...SEED.map(([id, category, amount]) => product(id, category, amount, id)),
    ...Array.from({ length: COPIES }, (_, n) => product(`thing-${n}`, 'Stationery', 500 + n)),
  ];
  readonly #failures: { pattern: RegExp; failure: Failure }[] = [];

  /** Makes requests whose "METHOD /path" matches fail, until `mend`. */
  fail(pattern: RegExp, failure: Failure): void {
    this.#failures.push({ pattern, failure });
  }

  /** Ends all failures. */
  mend(): void {
    this.#failures.length = 0;
  }

  /** Lets something happen to every order to which it can. */
  happen(event: OrderEvent): void {
    for (const { order } of this.placed.values()) {
      if (order.status === 'declined') {
        continue;
      }
      order.history.push({ event, at: new Date().toISOString() });
      if (event !== 'mailed') {
        order.status = event;
      }
    }
  }

  readonly answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://api');
    const name = `${request.method} ${url.pathname}`;
    this.requests.push(name);
    response.setHeader('X-Request-Id', randomUUID());
    const failure = this.#failures.find(({ pattern }) => pattern.test(name))?.failure;
    if (failure === 'unreachable') {
      response.destroy();
      return;
    }
    try {
      if (failure === 'unavailable') {
        throw new Refusal(503, 'The service is not available.');
      }
      await this.#route(request, url, response, failure === 'lost');
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      if ([400, 413, 415].includes(error.status)) {
        this.breaches.push(`${name}: ${error.message}`);
      }
      const { status, message: detail, errors } = error;
      const problem = { type: 'about:blank', title: 'Problem', status, detail, ...(errors.length && { errors }) };
      response.writeHead(status, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify(problem));
    }
  };

  async #route(request: IncomingMessage, url: URL, response: ServerResponse, lost: boolean): Promise<void> {
    const [, , service, second, id, third] = url.pathname.split('/');
    if (request.method === 'GET' && service === 'catalog' && second === 'products') {
      if (third === 'picture') {
        await this.#picture(id ?? '', response);
      } else {
        send(response, 200, id ? this.#product(id) : this.#list(url.searchParams));
      }
    } else if (request.method === 'GET' && service === 'orders' && second) {
      send(response, 200, this.#order(second, request.headers.authorization));
    } else if (request.method === 'POST' && service === 'orders' && !second) {
      const { placed, replayed } = this.#place(request, await body(request));
      if (lost) {
        response.destroy();
        return;
      }
      response.setHeader('Location', `/api/orders/${placed.order.id}`);
      if (replayed) {
        response.setHeader('Idempotent-Replayed', 'true');
      }
      send(response, 201, { ...placed.order, token: placed.token });
    } else {
      this.breaches.push(`${request.method} ${url.pathname} does not exist`);
      throw new Refusal(404, 'There is no such address.');
    }
  }

  #list(query: URLSearchParams) {
    for (const name of query.keys()) {
      if (!['search', 'category', 'after', 'limit'].includes(name)) {
        throw new Refusal(400, `There is no parameter ${name}.`);
      }
    }
    const limit = Number(query.get('limit') ?? 24);
    const after = query.get('after') ?? '';
    const search = (query.get('search') ?? '').toLowerCase();
    const category = query.get('category');
    const found = this.products
      .filter((item) => `${item.name} ${item.description}`.toLowerCase().includes(search))
      .filter((item) => !category || item.category === category)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const start = found.findIndex((item) => item.id === after) + 1;
    if (after && !start) {
      throw new Refusal(400, 'after is no cursor.');
    }
    const products = found.slice(start, start + limit);
    const next = start + limit < found.length ? products.at(-1)?.id : undefined;
    return { products, categories: [...new Set(this.products.map((item) => item.category))].sort(), next };
  }

  #product(id: string): Product {
    const found = this.products.find((item) => item.id === id);
    if (!found) {
      throw new Refusal(404, `There is no product ${id}.`);
    }
    return found;
  }

  async #picture(id: string, response: ServerResponse): Promise<void> {
    let content: Buffer;
    try {
      content = await readFile(join(PICTURES, `${this.#product(id).id}.svg`));
    } catch {
      throw new Refusal(404, 'There is no such picture.');
    }
    response.writeHead(200, {
      'Content-Type': 'image/svg+xml',
      'Cache-Control': 'public, max-age=3600',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'X-Content-Type-Options': 'nosniff',
    });
    response.end(content);
  }

  #order(id: string, authorization: string | undefined): Order {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    if (!token) {
      this.breaches.push('an order was asked for without a token');
      throw new Refusal(401, 'A token is needed.');
    }
    const found = [...this.placed.values()].find((placed) => placed.order.id === id && placed.token === token);
    if (!found) {
      throw new Refusal(404, 'There is no such order.');
    }
    return found.order;
  }

  #place(request: IncomingMessage, text: string): { placed: Placed; replayed: boolean } {
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string' || !/^[\x21-\x7e]{8,128}$/.test(key)) {
      throw new Refusal(400, 'Idempotency-Key is missing or malformed.');
    }
    if (request.headers['content-type'] !== 'application/json') {
      throw new Refusal(415, 'The content type is not JSON.');
    }
    if (text.length > 64 * 1024) {
      throw new Refusal(413, 'The order is too long.');
    }
    const wanted = this.#validate(JSON.parse(text));
    const hash = createHash('sha256').update(text).digest('hex');
    const before = this.placed.get(key);
    if (before) {
      if (before.hash !== hash) {
        this.breaches.push('an idempotency key was used again for another order');
        throw new Refusal(409, 'This key belongs to another order.');
      }
      return { placed: before, replayed: true };
    }
    const lines = wanted.lines.map(({ product: id, quantity }, index) => {
      const item = this.#product(id);
      if (item.stock < quantity) {
        const field = `lines[${index}].quantity`;
        throw new Refusal(409, `There is not enough of ${item.name}.`, [
          { field, detail: `only ${item.stock} are left` },
        ]);
      }
      return { product: id, name: item.name, quantity, price: item.price };
    });
    const amount = lines.reduce((sum, line) => sum + line.quantity * line.price.amount, 0);
    const at = new Date().toISOString();
    const declined = wanted.payment === 'card-declined';
    const order: Order = {
      id: randomUUID(),
      status: declined ? 'declined' : 'placed',
      email: wanted.email,
      lines,
      total: { amount, currency: 'EUR' },
      history: [{ event: 'placed', at }, ...(declined ? [{ event: 'declined' as const, at }] : [])],
    };
    const placed = { order, token: randomUUID(), hash };
    this.placed.set(key, placed);
    return { placed, replayed: false };
  }

  #validate(value: unknown): NewOrder {
    const errors: { field: string; detail: string }[] = [];
    const check = (right: boolean, field: string, detail: string) => right || errors.push({ field, detail });
    const order = value as NewOrder;
    check(Object.keys(order).sort().join() === 'email,lines,payment', '', 'has other members than the three');
    check(/^\S+@[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(order.email), 'email', 'is not an e-mail address');
    check(['card', 'card-declined'].includes(order.payment), 'payment', 'is not a test card');
    check(order.lines.length >= 1 && order.lines.length <= 50, 'lines', 'are not 1 to 50');
    check(new Set(order.lines.map((line) => line.product)).size === order.lines.length, 'lines', 'repeat a product');
    order.lines.forEach((line, index) => {
      const { product: id, quantity } = line;
      check(Object.keys(line).sort().join() === 'product,quantity', `lines[${index}]`, 'has other members');
      check(
        this.products.some((item) => item.id === id),
        `lines[${index}].product`,
        'does not exist',
      );
      check(
        Number.isInteger(quantity) && quantity >= 1 && quantity <= 99,
        `lines[${index}].quantity`,
        'is not 1 to 99',
      );
    });
    if (errors.length) {
      throw new Refusal(422, 'The order has mistakes.', errors);
    }
    return order;
  }
}

function product(id: string, category: string, amount: number, picture?: string): Product {
  const words = id.replaceAll('-', ' ');
  return {
    id,
    name: words.charAt(0).toUpperCase() + words.slice(1),
    description: `A ${words} that does what it is for, and looks well while it does. Made to be mended.`,
    category,
    price: { amount, currency: 'EUR' },
    stock: 10_000,
    ...(picture && { picture: `/api/catalog/products/${picture}/picture` }),
  };
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}
