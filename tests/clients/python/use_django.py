"""Django's ORM with its defaults, its migrations, and server-side cursors (iterator())."""

import os

import django
from django.conf import settings

from check import crowd, finish, run, same

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"],
        "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"],
        "CONN_MAX_AGE": 600,
    }},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TIME_ZONE="Europe/Rome",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402


class Account(models.Model):
    money = models.IntegerField()

    class Meta:
        app_label = "auth"


def schema():
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Account)
    Account.objects.bulk_create([Account(id=n, money=100) for n in range(10)])


def alone(body):
    """Each thread has a connection of its own, and closes it."""
    def client(number):
        try:
            body(number)
        finally:
            connection.close()
    return client


def objects(number):
    user = User.objects.create(username=f"user {number}")
    group, _ = Group.objects.get_or_create(name=f"group {number % 3}")
    user.groups.add(group)
    user.first_name = "x"
    user.save()
    found = User.objects.prefetch_related("groups").select_related().get(username=f"user {number}")
    same([g.name for g in found.groups.all()], [f"group {number % 3}"])
    same(found.date_joined, user.date_joined)
    same(User.objects.filter(groups__name=group.name, username=f"user {number}").count(), 1)


def transfers(number):
    for n in range(10):
        source, target = sorted(((number + n) % 10, (number + 3 * n + 1) % 10))
        with transaction.atomic():
            Account.objects.filter(id=source).update(money=models.F("money") - 1)
            try:
                with transaction.atomic():
                    Account.objects.filter(id=source).update(money=None)
            except IntegrityError:
                pass
            row = Account.objects.select_for_update().get(id=target)
            row.money += 1
            row.save()


def money_is_still_there():
    same(Account.objects.aggregate(models.Sum("money"))["money__sum"], 1000)


def iterators(number):
    """Outside of a transaction these are cursors WITH HOLD."""
    same(sorted(a.id for a in Account.objects.iterator(chunk_size=3)), list(range(10)))
    with transaction.atomic():
        same(sorted(a.id for a in Account.objects.iterator(chunk_size=3)), list(range(10)))


def time_zones(number):
    for _ in range(5):
        with connection.cursor() as cursor:
            cursor.execute("SHOW TimeZone")
            same(cursor.fetchone()[0], "UTC")


run("migrate", schema)
run("objects and relations", crowd, alone(objects))
run("transactions and savepoints", crowd, alone(transfers))
run("no money is lost", money_is_still_there)
run("iterator()", crowd, alone(iterators))
run("time zone", crowd, alone(time_zones))
finish()
