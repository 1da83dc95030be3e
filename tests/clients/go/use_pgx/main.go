// pgx with its defaults: describes and keeps prepared every query (statement cache of 512, names stmtcache_N).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

var passed, failed int

func clients() int {
	if n, err := strconv.Atoi(os.Getenv("CLIENTS")); err == nil {
		return n
	}
	return 30
}

func run(what string, body func() error) {
	began := time.Now()
	if why := body(); why != nil {
		failed++
		fmt.Printf("FAILED %s: %v\n", what, why)
		return
	}
	passed++
	fmt.Printf("ok %s (%.1f s)\n", what, time.Since(began).Seconds())
}

// body for each client, all at once; the first failure.
func crowd(count int, body func(ctx context.Context, c *pgx.Conn, number int) error) func() error {
	return func() error {
		ctx, stop := context.WithTimeout(context.Background(), 150*time.Second)
		defer stop()
		ends := make(chan error, count)
		var all sync.WaitGroup
		for i := 0; i < count; i++ {
			all.Add(1)
			go func(number int) {
				defer all.Done()
				c, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
				if err != nil {
					ends <- err
					return
				}
				defer c.Close(ctx)
				if err := body(ctx, c, number); err != nil {
					ends <- fmt.Errorf("client %d: %w", number, err)
				}
			}(i)
		}
		all.Wait()
		close(ends)
		return <-ends
	}
}

func same(found, wanted interface{}) error {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		return fmt.Errorf("found %v, wanted %v", found, wanted)
	}
	return nil
}

func fails(sqlstate string, err error) error {
	var why *pgconn.PgError
	if !errors.As(err, &why) || why.Code != sqlstate {
		return fmt.Errorf("found %v, wanted SQLSTATE %s", err, sqlstate)
	}
	return nil
}

// The first that is not nil.
func first(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func askInt(ctx context.Context, c *pgx.Conn, wanted int, query string, values ...interface{}) error {
	var found int
	if err := c.QueryRow(ctx, query, values...).Scan(&found); err != nil {
		return err
	}
	return same(found, wanted)
}

func prepared(ctx context.Context, c *pgx.Conn, number int) error {
	for n := 0; n < 30; n++ {
		key := number*1000 + n
		if _, err := c.Exec(ctx, "INSERT INTO item (id, owner, name) VALUES ($1, $2, $3)", key, number, fmt.Sprint("item ", key)); err != nil {
			return err
		}
		var name string
		if err := c.QueryRow(ctx, "SELECT name FROM item WHERE id = $1", key).Scan(&name); err != nil {
			return err
		}
		if err := same(name, fmt.Sprint("item ", key)); err != nil {
			return err
		}
	}
	return askInt(ctx, c, 30, "SELECT count(*) FROM item WHERE owner = $1", number)
}

func manyTexts(ctx context.Context, c *pgx.Conn, number int) error {
	for round := 0; round < 2; round++ {
		for text := 0; text < 550; text++ {
			if err := askInt(ctx, c, number+text, fmt.Sprintf("SELECT $1::int + %d", text), number); err != nil {
				return err
			}
		}
	}
	return nil
}

func transfers(ctx context.Context, c *pgx.Conn, number int) error {
	for n := 0; n < 20; n++ {
		source, target := (number+n)%10, (number+3*n+1)%10
		if source > target {
			source, target = target, source
		}
		err := c.BeginFunc(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE account SET money = money - 1 WHERE id = $1", source); err != nil {
				return err
			}
			inner := tx.BeginFunc(ctx, func(sub pgx.Tx) error {
				_, err := sub.Exec(ctx, "UPDATE account SET money = NULL WHERE id = $1", source)
				return err
			})
			if err := fails("23502", inner); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE account SET money = money + 1 WHERE id = $1", target)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func batches(ctx context.Context, c *pgx.Conn, number int) error {
	for round := 0; round < 5; round++ {
		batch := &pgx.Batch{}
		for n := 0; n < 20; n++ {
			batch.Queue("SELECT $1::int * $2::int", number, n)
			batch.Queue(fmt.Sprintf("SELECT $1::int + %d", n%3), number)
		}
		results := c.SendBatch(ctx, batch)
		for n := 0; n < 20; n++ {
			var product, sum int
			if err := first(results.QueryRow().Scan(&product), results.QueryRow().Scan(&sum)); err != nil {
				return err
			}
			if err := first(same(product, number*n), same(sum, number+n%3)); err != nil {
				return err
			}
		}
		if err := results.Close(); err != nil {
			return err
		}
		batch = &pgx.Batch{}
		batch.Queue("SELECT $1::int", number)
		batch.Queue("SELECT 1 / $1::int", 0)
		batch.Queue("SELECT $1::int", number)
		results = c.SendBatch(ctx, batch)
		_, one := results.Exec()
		_, two := results.Exec()
		results.Close()
		if err := first(one, fails("22012", two), askInt(ctx, c, number, "SELECT $1::int", number)); err != nil {
			return err
		}
	}
	return nil
}

func copies(ctx context.Context, c *pgx.Conn, number int) error {
	rows := make([][]interface{}, 300)
	for n := range rows {
		rows[n] = []interface{}{1_000_000 + number*1000 + n, number, "copied"}
	}
	count, err := c.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"id", "owner", "name"}, pgx.CopyFromRows(rows))
	if err := first(err, same(count, 300)); err != nil {
		return err
	}
	_, err = c.CopyFrom(ctx, pgx.Identifier{"item"}, []string{"id", "owner", "name"}, pgx.CopyFromRows(rows))
	if err := fails("23505", err); err != nil {
		return err
	}
	var out strings.Builder
	_, err = c.PgConn().CopyTo(ctx, &out, fmt.Sprintf("COPY (SELECT id FROM item WHERE owner = %d AND name = 'copied') TO STDOUT", number))
	return first(err, same(strings.Count(out.String(), "\n"), 300))
}

func largeObjects(ctx context.Context, c *pgx.Conn, number int) error {
	return c.BeginFunc(ctx, func(tx pgx.Tx) error {
		lobs := tx.LargeObjects()
		oid, err := lobs.Create(ctx, 0)
		if err != nil {
			return err
		}
		lob, err := lobs.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		if err != nil {
			return err
		}
		data := strings.Repeat(strconv.Itoa(number), 50000)
		if _, err := lob.Write([]byte(data)); err != nil {
			return err
		}
		if _, err := lob.Seek(0, 0); err != nil {
			return err
		}
		got := make([]byte, len(data))
		if _, err := lob.Read(got); err != nil {
			return err
		}
		return first(same(string(got) == data, true), lob.Close(), lobs.Unlink(ctx, oid))
	})
}

// A context that ends closes the connection; so another one takes over.
func timeouts(ctx context.Context, c *pgx.Conn, number int) error {
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	_, err := c.Exec(short, "SELECT pg_sleep(20)")
	if err == nil {
		return errors.New("no timeout")
	}
	other, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer other.Close(ctx)
	return askInt(ctx, other, number, "SELECT $1::int", number)
}

func cancels(ctx context.Context, c *pgx.Conn, number int) error {
	end := make(chan error)
	go func() {
		time.Sleep(300 * time.Millisecond)
		end <- c.PgConn().CancelRequest(ctx)
	}()
	_, err := c.Exec(ctx, "SELECT pg_sleep(20)")
	return first(fails("57014", err), <-end, askInt(ctx, c, number, "SELECT $1::int", number))
}

func mistakes(ctx context.Context, c *pgx.Conn, number int) error {
	for n := 0; n < 5; n++ {
		_, one := c.Exec(ctx, "SELECT * FROM nowhere")
		_, two := c.Exec(ctx, "SELECT 1 / $1::int", 0)
		if err := first(fails("42P01", one), fails("22012", two), askInt(ctx, c, number, "SELECT $1::int", number)); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	run("schema", crowd(1, func(ctx context.Context, c *pgx.Conn, _ int) error {
		_, err := c.Exec(ctx, `CREATE TABLE item (id int PRIMARY KEY, owner int, name text);
			CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
			INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n`)
		return err
	}))
	run("statements that it keeps prepared", crowd(clients(), prepared))
	run("more texts than it keeps prepared", crowd(4, manyTexts))
	run("transactions and savepoints", crowd(clients(), transfers))
	run("no money is lost", crowd(1, func(ctx context.Context, c *pgx.Conn, _ int) error {
		return askInt(ctx, c, 1000, "SELECT sum(money) FROM account")
	}))
	run("batches", crowd(clients(), batches))
	run("COPY", crowd(clients(), copies))
	run("large objects", crowd(10, largeObjects))
	run("contexts that end", crowd(5, timeouts))
	run("cancel", crowd(5, cancels))
	run("errors", crowd(clients(), mistakes))
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
