-- +goose Up
CREATE TABLE products (
    id          text    PRIMARY KEY CHECK (id ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name        text    NOT NULL,
    description text    NOT NULL,
    category    text    NOT NULL,
    price_cents bigint  NOT NULL CHECK (price_cents >= 0),
    currency    char(3) NOT NULL,
    stock       integer NOT NULL CHECK (stock >= 0)
);
-- the pages of the catalog, of all categories or of one; "C" is an order that no update of the system's locales changes
CREATE INDEX products_by_name ON products (lower(name) COLLATE "C", id COLLATE "C");
CREATE INDEX products_by_category ON products (category, lower(name) COLLATE "C", id COLLATE "C");

CREATE TABLE orders (
    id              uuid        PRIMARY KEY,
    idempotency_key text        NOT NULL UNIQUE,
    request_hash    bytea       NOT NULL,
    email           text        NOT NULL,
    payment         text        NOT NULL,
    status          text        NOT NULL CHECK (status IN ('placed', 'confirmed', 'declined', 'shipped')),
    total_cents     bigint      NOT NULL CHECK (total_cents >= 0),
    currency        char(3)     NOT NULL,
    payment_id      text,
    request_id      text        NOT NULL,
    placed_at       timestamptz NOT NULL,
    confirmed_at    timestamptz,
    declined_at     timestamptz,
    attempts        integer     NOT NULL DEFAULT 0, -- to settle the payment
    next_attempt_at timestamptz NOT NULL DEFAULT now()
);
-- those that wait for their payment: few, among all there ever were
CREATE INDEX orders_unpaid ON orders (next_attempt_at) WHERE status = 'placed';
-- the report asks for a day
CREATE INDEX orders_by_confirmation ON orders (confirmed_at) WHERE confirmed_at IS NOT NULL;

CREATE TABLE order_lines (
    order_id   uuid    NOT NULL REFERENCES orders,
    product_id text    NOT NULL REFERENCES products,
    name       text    NOT NULL, -- name and price as they were
    quantity   integer NOT NULL CHECK (quantity > 0),
    unit_cents bigint  NOT NULL CHECK (unit_cents >= 0),
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE outbox (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   uuid        NOT NULL UNIQUE,
    kind         text        NOT NULL,
    body         jsonb       NOT NULL,
    request_id   text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE shipments (
    order_id   uuid        PRIMARY KEY REFERENCES orders,
    tracking   text        NOT NULL,
    shipped_at timestamptz NOT NULL
);

CREATE TABLE mails (
    key       text        PRIMARY KEY, -- kind:order id
    order_id  uuid        NOT NULL REFERENCES orders,
    kind      text        NOT NULL,
    mailed_at timestamptz NOT NULL
);
CREATE INDEX mails_by_order ON mails (order_id);

-- +goose Down
DROP TABLE mails, shipments, outbox, order_lines, orders, products;
