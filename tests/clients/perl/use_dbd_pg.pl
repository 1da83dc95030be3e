# DBD::Pg with its defaults: prepares by name on the first execution. The crowd is CLIENTS processes.
use strict;
use warnings;
use DBI;
use Time::HiRes qw(time sleep);
use DBD::Pg qw(:pg_types :async);

my $clients = $ENV{CLIENTS} || 30;
my ($passed, $failed) = (0, 0);

sub connect_db
{
    return DBI->connect('dbi:Pg:', undef, undef, { RaiseError => 1, PrintError => 0, AutoCommit => 1, InactiveDestroy => 0 });
}

sub same
{
    my ($found, $wanted) = @_;
    die "found $found, wanted $wanted\n" if $found ne $wanted;
}

sub fails
{
    my ($c, $sqlstate, $body) = @_;
    die "nothing failed, where $sqlstate should have\n" if eval { $body->(); 1 };
    same($c->state, $sqlstate);
}

sub told
{
    my ($what, $why, $seconds) = @_;
    if (defined $why) { $failed++; print "FAILED $what: $why\n"; }
    else { $passed++; printf "ok %s (%.1f s)\n", $what, $seconds // 0; }
}

# body(number) in a process for each client, all at once.
sub crowd
{
    my ($what, $body) = @_;
    my @children;
    my $began = time;
    $| = 1;
    for my $number (0 .. $clients - 1) {
        my $child = fork // die "fork: $!";
        if ($child == 0) {
            my $fine = eval { $body->($number); 1 };
            print "client $number: $@" if !$fine;
            exit($fine ? 0 : 1);
        }
        push @children, $child;
    }
    my $bad = grep { waitpid($_, 0); $? != 0 } @children;
    told($what, $bad ? "$bad of $clients clients failed" : undef, time - $began);
}

connect_db()->do('CREATE TABLE item (id int PRIMARY KEY, owner int, name text);
    CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
    INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n');

crowd('statements that it prepares', sub {
    my ($number) = @_;
    my $c = connect_db();
    my $add = $c->prepare('INSERT INTO item (id, owner, name) VALUES (?, ?, ?)');
    my $get = $c->prepare('SELECT name FROM item WHERE id = ?');
    for my $n (0 .. 19) {
        my $key = $number * 1000 + $n;
        $add->execute($key, $number, "item $key");
        $get->execute($key);
        same($get->fetchrow_arrayref->[0], "item $key");
        $get->finish;
    }
});

crowd('transactions, savepoints', sub {
    my ($number) = @_;
    my $c = connect_db();
    $c->{AutoCommit} = 0;
    my $move = $c->prepare('UPDATE account SET money = money + ? WHERE id = ?');
    for my $n (0 .. 14) {
        my ($source, $target) = sort { $a <=> $b } ($number + $n) % 10, ($number + 3 * $n + 1) % 10;
        $move->execute(-1, $source);
        $c->pg_savepoint('here');
        fails($c, '23502', sub { $c->do('UPDATE account SET money = NULL WHERE id = ?', undef, $source) });
        $c->pg_rollback_to('here');
        $move->execute(1, $target);
        $n % 5 == 4 ? $c->rollback : $c->commit;
    }
    undef $move;
    $c->disconnect;
});

told('no money is lost', connect_db()->selectrow_array('SELECT sum(money) FROM account') == 1000 ? undef : 'it is');

crowd('statements that it forgets within a transaction', sub {
    my ($number) = @_;
    my $c = connect_db();
    for my $n (0 .. 9) {
        my $outside = $c->prepare('SELECT ?::int');
        $outside->execute($number);
        same($outside->fetchrow_array, $number);
        $c->begin_work;
        undef $outside;
        same($c->selectrow_array('SELECT ?::int + 1', undef, $number), $number + 1);
        $c->commit;
    }
});

crowd('COPY', sub {
    my ($number) = @_;
    my $c = connect_db();
    $c->do('COPY item (id, owner, name) FROM STDIN');
    $c->pg_putcopydata((1_000_000 + $number * 1000 + $_) . "\t$number\tcopied\n") for 1 .. 200;
    $c->pg_putcopyend;
    $c->do("COPY (SELECT id FROM item WHERE owner = $number AND name = 'copied') TO STDOUT");
    my ($row, $count) = ('', 0);
    $count++ while $c->pg_getcopydata($row) >= 0;
    same($count, 200);
});

crowd('asynchronous queries and cancel', sub {
    my ($number) = @_;
    my $c = connect_db();
    for my $n (0 .. 2) {
        $c->do("SELECT pg_sleep(0.01), $number", { pg_async => PG_ASYNC });
        $c->pg_result;
        if ($number < 5) {
            $c->do('SELECT pg_sleep(20)', { pg_async => PG_ASYNC });
            sleep 0.1;
            $c->pg_cancel;
        }
        same($c->selectrow_array("SELECT $number"), $number);
    }
});

crowd('errors', sub {
    my ($number) = @_;
    my $c = connect_db();
    for my $n (0 .. 4) {
        fails($c, '42P01', sub { $c->do('SELECT * FROM nowhere') });
        fails($c, '22012', sub { $c->selectrow_array('SELECT 1 / ?::int', undef, 0) });
        same($c->selectrow_array('SELECT ?::int', undef, $number), $number);
    }
});

print "$passed passed, $failed failed\n";
exit($failed == 0 ? 0 : 1);
