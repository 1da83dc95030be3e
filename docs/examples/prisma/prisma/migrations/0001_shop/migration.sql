CREATE TYPE "Role" AS ENUM ('CUSTOMER', 'EDITOR', 'ADMIN');
CREATE TYPE "SubscriptionStatus" AS ENUM ('TRIAL', 'ACTIVE', 'CANCELLED');
CREATE TYPE "MessageRole" AS ENUM ('USER', 'ASSISTANT');

CREATE TABLE users (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text,
    role "Role" NOT NULL DEFAULT 'CUSTOMER',
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE accounts (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    provider text NOT NULL,
    external_id text NOT NULL,
    UNIQUE (provider, external_id)
);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    expires_at timestamp(3) NOT NULL
);

CREATE TABLE profiles (
    user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    birthday date,
    interests text[],
    settings jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE subscriptions (
    user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    status "SubscriptionStatus" NOT NULL DEFAULT 'TRIAL',
    credits int NOT NULL DEFAULT 10,
    renews_at timestamp(3)
);

CREATE TABLE conversations (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    title text NOT NULL,
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE messages (
    id serial PRIMARY KEY,
    conversation_id int NOT NULL REFERENCES conversations ON DELETE CASCADE ON UPDATE CASCADE,
    role "MessageRole" NOT NULL,
    text text NOT NULL,
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE searches (
    id serial PRIMARY KEY,
    user_id int REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE,
    conversation_id int REFERENCES conversations ON DELETE CASCADE ON UPDATE CASCADE,
    query text NOT NULL,
    filters jsonb NOT NULL DEFAULT '{}',
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE categories (
    id serial PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    parent_id int REFERENCES categories ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE merchants (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    rate decimal(5, 4) NOT NULL
);

CREATE TABLE products (
    id serial PRIMARY KEY,
    merchant_id int NOT NULL REFERENCES merchants ON DELETE RESTRICT ON UPDATE CASCADE,
    category_id int NOT NULL REFERENCES categories ON DELETE RESTRICT ON UPDATE CASCADE,
    title text NOT NULL,
    price decimal(10, 2) NOT NULL,
    stock int NOT NULL DEFAULT 0,
    attributes jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE tags (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE "_ProductToTag" (
    "A" int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    "B" int NOT NULL REFERENCES tags ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "_ProductToTag_AB_pkey" PRIMARY KEY ("A", "B")
);

CREATE TABLE search_results (
    search_id int NOT NULL REFERENCES searches ON DELETE CASCADE ON UPDATE CASCADE,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    rank int NOT NULL,
    score double precision NOT NULL,
    PRIMARY KEY (search_id, product_id)
);

CREATE TABLE wishlists (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    name text NOT NULL,
    is_public boolean NOT NULL DEFAULT false
);

CREATE TABLE wishlist_items (
    wishlist_id int NOT NULL REFERENCES wishlists ON DELETE CASCADE ON UPDATE CASCADE,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    note text,
    PRIMARY KEY (wishlist_id, product_id)
);

CREATE TABLE favorites (
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, product_id)
);

CREATE TABLE clicks (
    id bigserial PRIMARY KEY,
    user_id int REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE commissions (
    id serial PRIMARY KEY,
    click_id bigint NOT NULL UNIQUE REFERENCES clicks ON DELETE CASCADE ON UPDATE CASCADE,
    merchant_id int NOT NULL REFERENCES merchants ON DELETE RESTRICT ON UPDATE CASCADE,
    amount decimal(10, 2) NOT NULL
);

CREATE TABLE reviews (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    stars int NOT NULL,
    text text,
    UNIQUE (user_id, product_id)
);

CREATE TABLE articles (
    id serial PRIMARY KEY,
    author_id int NOT NULL REFERENCES users ON DELETE RESTRICT ON UPDATE CASCADE,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    body text NOT NULL,
    published_at timestamp(3)
);

CREATE TABLE reminders (
    id serial PRIMARY KEY,
    user_id int NOT NULL REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,
    text text NOT NULL,
    due_on date NOT NULL
);
