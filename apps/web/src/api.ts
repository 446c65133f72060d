/**
 * The shop's services as this page calls them: the types of their contract, and one function for each request.
 *
 * A function resolves to what the service answered, or rejects with an {@link ApiError}. When the caller's own signal
 * ends the request, it rejects with that signal's reason instead, because nothing went wrong.
 */

/** An amount of money. */
export interface Money {
  /** In the currency's smallest unit: cents of euros. */
  amount: number;
  /** ISO 4217, e.g. "EUR". */
  currency: string;
}

/** Something the shop sells. */
export interface Product {
  id: string;
  name: string;
  description: string;
  category: string;
  price: Money;
  /** How many there are. */
  stock: number;
  /** The picture's address. Absent where there is none. */
  picture?: string;
}

/** A part of the catalogue. */
export interface ProductPage {
  products: Product[];
  /** Every category there is, not only those of this part. */
  categories: string[];
  /** Where the next part begins. Absent on the last. */
  next?: string;
}

/** Which part of the catalogue is wanted. */
export interface ProductQuery {
  /** Words to look for. Defaults to everything. */
  search?: string;
  /** One category. Defaults to all. */
  category?: string;
  /** `next` of the part before. Defaults to the beginning. */
  after?: string;
  /** How many products, 1 to 100. Defaults to 24. */
  limit?: number;
}

/** The sandbox's test cards: one that is accepted, and one that is not. */
export type Payment = 'card' | 'card-declined';

/** One product of an order that is to be placed. */
export interface NewLine {
  product: string;
  /** 1 to 99. */
  quantity: number;
}

/** An order that is to be placed. */
export interface NewOrder {
  email: string;
  /** 1 to 50, each product once. */
  lines: NewLine[];
  payment: Payment;
}

/** What happened to an order. */
export type OrderEvent = 'placed' | 'confirmed' | 'declined' | 'mailed' | 'shipped';

/** An order as the service knows it. */
export interface Order {
  id: string;
  status: 'placed' | 'confirmed' | 'declined' | 'shipped';
  email: string;
  /** Prices are those of the moment of ordering, for one piece. */
  lines: { product: string; name: string; quantity: number; price: Money }[];
  total: Money;
  /** In order of time; `at` is RFC 3339. */
  history: { event: OrderEvent; at: string }[];
}

/** The answer to placing an order. */
export interface PlacedOrder extends Order {
  /** Opens the order again; nobody else has it. */
  token: string;
}

/** An RFC 9457 problem. Each member may be missing, because a proxy on the way may have answered. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  /** What is wrong with which field, of a 422. */
  errors?: { field: string; detail: string }[];
}

/** A request that failed. Its message is for people. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The HTTP status. 0 where no answer came. */
  readonly status: number;
  /** What the service said about it. Empty where it said nothing. */
  readonly problem: Problem;
  /** The request's id in the services' logs. Absent where no answer came. */
  readonly requestId: string | undefined;

  constructor(message: string, status: number, problem: Problem = {}, requestId?: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.problem = problem;
    this.requestId = requestId;
  }

  /**
   * Whether the service has certainly refused what was asked. Otherwise it may have been done, and only the answer was
   * lost on its way.
   */
  get refused(): boolean {
    return [400, 409, 413, 415, 422].includes(this.status);
  }

  /** Whether asking again is pointless: the thing is not there, or not for this browser. */
  get gone(): boolean {
    return [401, 404].includes(this.status);
  }
}

const READ_TIMEOUT_MILLIS = 10_000;
// Longer, because giving up on an order leaves its buyer in doubt.
const ORDER_TIMEOUT_MILLIS = 20_000;

/** Reads a part of the catalogue. */
export function listProducts(query: ProductQuery = {}, signal?: AbortSignal): Promise<ProductPage> {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value) {
      parameters.set(name, String(value));
    }
  }
  const text = parameters.toString();
  return request('/api/catalog/products' + (text && `?${text}`), {}, READ_TIMEOUT_MILLIS, signal);
}

/** Reads one product. */
export function getProduct(id: string, signal?: AbortSignal): Promise<Product> {
  return request(`/api/catalog/products/${encodeURIComponent(id)}`, {}, READ_TIMEOUT_MILLIS, signal);
}

/** Places an order. The same key with the same order places it once, however often it is sent. */
export function placeOrder(order: NewOrder, idempotencyKey: string, signal?: AbortSignal): Promise<PlacedOrder> {
  const init = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey },
    body: JSON.stringify(order),
  };
  return request('/api/orders', init, ORDER_TIMEOUT_MILLIS, signal);
}

/** Reads an order, with the token that its placing gave. */
export function getOrder(id: string, token: string, signal?: AbortSignal): Promise<Order> {
  const init = { headers: { Authorization: `Bearer ${token}` } };
  return request(`/api/orders/${encodeURIComponent(id)}`, init, READ_TIMEOUT_MILLIS, signal);
}

/** Makes an idempotency key that nobody else makes. */
export function newIdempotencyKey(): string {
  // crypto.randomUUID would want HTTPS, which a development server on another machine does not have.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function request<T>(path: string, init: RequestInit, timeoutMillis: number, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMillis);
  let response: Response | undefined;
  try {
    response = await fetch(path, {
      ...init,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    // The body is read here too, because the connection may break while it arrives.
    const text = await response.text();
    if (response.ok) {
      return parse(text) as T;
    }
    throw refusal(response, text);
  } catch (error) {
    if (error instanceof ApiError) {
      throw error;
    }
    signal?.throwIfAborted();
    throw noAnswer(timeout.aborted, response, error);
  }
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

function refusal(response: Response, text: string): ApiError {
  let problem: Problem = {};
  if (response.headers.get('Content-Type')?.includes('json')) {
    problem = parse(text) as Problem;
  }
  const message = problem.detail ?? problem.title ?? explain(response.status);
  return new ApiError(message, response.status, problem, requestId(response));
}

function explain(status: number): string {
  if (status === 404) {
    return 'There is no such thing here.';
  }
  if (status === 429) {
    return 'That was a little fast. Please wait a moment.';
  }
  return status >= 500 ? 'The shop has a problem of its own.' : `The shop refused this (${status}).`;
}

function noAnswer(timedOut: boolean, response: Response | undefined, cause: unknown): ApiError {
  let message = 'The shop cannot be reached. Are you online?';
  if (timedOut) {
    message = 'The shop took too long to answer.';
  } else if (response) {
    message = 'The answer of the shop did not arrive whole.';
  }
  return new ApiError(message, 0, {}, response && requestId(response), { cause });
}

function requestId(response: Response): string | undefined {
  return response.headers.get('X-Request-Id') ?? undefined;
}
