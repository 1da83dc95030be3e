"""SQLAlchemy's ORM over psycopg2, with its defaults."""

import threading

import sqlalchemy as sa
from sqlalchemy.orm import declarative_base, relationship, selectinload, sessionmaker

from check import CLIENTS, URL, crowd, finish, run, same

engine = sa.create_engine(URL, pool_size=CLIENTS)
Session = sessionmaker(engine)
Base = declarative_base()


class Owner(Base):
    __tablename__ = "owner"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String, unique=True)
    items = relationship("Item", back_populates="owner", order_by="Item.name", cascade="all, delete-orphan")


class Item(Base):
    __tablename__ = "item"
    id = sa.Column(sa.Integer, primary_key=True)
    owner_id = sa.Column(sa.ForeignKey("owner.id"))
    name = sa.Column(sa.String)
    info = sa.Column(sa.JSON)
    owner = relationship("Owner", back_populates="items")


class Account(Base):
    __tablename__ = "account"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
    money = sa.Column(sa.Integer, nullable=False)


def schema():
    Base.metadata.create_all(engine)
    with Session.begin() as s:
        s.add_all([Account(id=n, money=100) for n in range(10)])


def objects(number):
    with Session.begin() as s:
        s.add(Owner(name=f"owner {number}", items=[Item(name=f"item {n}", info={"n": n}) for n in range(5)]))
    with Session() as s:
        owner = s.query(Owner).options(selectinload(Owner.items)).filter_by(name=f"owner {number}").one()
        same([(i.name, i.info) for i in owner.items], [(f"item {n}", {"n": n}) for n in range(5)])
        owner.items[0].name = "renamed"
        del owner.items[1]
        s.commit()
        same([i.name for i in owner.items if i.name.startswith("item")], ["item 2", "item 3", "item 4"])


def transfers(number):
    for n in range(10):
        source, target = sorted(((number + n) % 10, (number + 3 * n + 1) % 10))
        with Session() as s:
            s.execute(sa.update(Account).where(Account.id == source).values(money=Account.money - 1))
            try:
                with s.begin_nested():
                    s.execute(sa.update(Account).where(Account.id == source).values(money=None))
            except sa.exc.IntegrityError:
                pass
            s.execute(sa.update(Account).where(Account.id == target).values(money=Account.money + 1))
            s.rollback() if n % 5 == 4 else s.commit()


def money_is_still_there():
    with Session() as s:
        same(s.scalar(sa.select(sa.func.sum(Account.money))), 1000)


def bulk(number):
    with engine.begin() as c:
        c.execute(sa.insert(Item), [{"name": f"bulk {number}", "info": None} for n in range(100)])
        same(c.scalar(sa.select(sa.func.count()).where(Item.name == f"bulk {number}").select_from(Item)), 100)


def isolation(number):
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as c:
        same(c.scalar(sa.text("SHOW transaction_isolation")), "serializable")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        same(c.scalar(sa.text("SELECT :n + 0"), {"n": number}), number)


def streams(number):
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as c:
        rows = c.execute(sa.text("SELECT n FROM generate_series(1, 500 + :n) n"), {"n": number})
        same([n for n, in rows], list(range(1, 501 + number)))


def reflection(number):
    same(sorted(sa.inspect(engine).get_table_names()), ["account", "item", "owner"])


run("create_all", schema)
run("objects and relations", crowd, objects)
run("transactions and savepoints", crowd, transfers)
run("no money is lost", money_is_still_there)
run("many rows at once", crowd, bulk)
run("isolation levels", crowd, isolation)
run("streamed results", crowd, streams)
run("reflection", crowd, reflection, 5)
finish()
