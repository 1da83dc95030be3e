// database/sql with lib/pq: prepares the unnamed statement for each query with arguments, and by name on Prepare.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/lib/pq"
)

var passed, failed int
var db *sql.DB

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

func crowd(body func(number int) error) func() error {
	return func() error {
		count := clients()
		ends := make(chan error, count)
		var all sync.WaitGroup
		for i := 0; i < count; i++ {
			all.Add(1)
			go func(number int) {
				defer all.Done()
				if err := body(number); err != nil {
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
	var why *pq.Error
	if !errors.As(err, &why) || string(why.Code) != sqlstate {
		return fmt.Errorf("found %v, wanted SQLSTATE %s", err, sqlstate)
	}
	return nil
}

func first(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func askInt(wanted int, query string, values ...interface{}) error {
	var found int
	if err := db.QueryRow(query, values...).Scan(&found); err != nil {
		return err
	}
	return same(found, wanted)
}

func prepared(number int) error {
	add, err := db.Prepare("INSERT INTO item (id, owner, name) VALUES ($1, $2, $3)")
	if err != nil {
		return err
	}
	defer add.Close()
	for n := 0; n < 20; n++ {
		key := number*1000 + n
		if _, err := add.Exec(key, number, "x"); err != nil {
			return err
		}
		if err := askInt(number, "SELECT owner FROM item WHERE id = $1", key); err != nil {
			return err
		}
	}
	return nil
}

func transfers(number int) error {
	for n := 0; n < 15; n++ {
		source, target := (number+n)%10, (number+3*n+1)%10
		if source > target {
			source, target = target, source
		}
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE account SET money = money - 1 WHERE id = $1", source); err != nil {
			return err
		}
		if n%4 == 0 {
			_, err := tx.Exec("UPDATE account SET money = NULL WHERE id = $1", source)
			if err := first(fails("23502", err), tx.Rollback()); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec("UPDATE account SET money = money + 1 WHERE id = $1", target); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func copies(number int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	into, err := tx.Prepare(pq.CopyIn("item", "id", "owner", "name"))
	if err != nil {
		return err
	}
	for n := 0; n < 200; n++ {
		if _, err := into.Exec(1_000_000+number*1000+n, number, "copied"); err != nil {
			return err
		}
	}
	if _, err := into.Exec(); err != nil {
		return err
	}
	if err := first(into.Close(), tx.Commit()); err != nil {
		return err
	}
	return askInt(200, "SELECT count(*) FROM item WHERE owner = $1 AND name = 'copied'", number)
}

func cancels(number int) error {
	if number >= 5 {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer stop()
	_, err := db.ExecContext(ctx, "SELECT pg_sleep(20)")
	return first(fails("57014", err), askInt(number, "SELECT $1::int", number))
}

func mistakes(number int) error {
	for n := 0; n < 5; n++ {
		_, one := db.Exec("SELECT * FROM nowhere")
		_, two := db.Exec("SELECT 1 / $1::int", 0)
		if err := first(fails("42P01", one), fails("22012", two), askInt(number, "SELECT $1::int", number)); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	var err error
	if db, err = sql.Open("postgres", os.Getenv("DATABASE_URL")+"?sslmode=disable"); err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(clients())
	run("schema", func() error {
		_, err := db.Exec(`CREATE TABLE item (id int PRIMARY KEY, owner int, name text);
			CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
			INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n`)
		return err
	})
	run("prepared and unnamed statements", crowd(prepared))
	run("transactions", crowd(transfers))
	run("no money is lost", func() error { return askInt(1000, "SELECT sum(money) FROM account") })
	run("COPY", crowd(copies))
	run("contexts that end cancel", crowd(cancels))
	run("errors", crowd(mistakes))
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
