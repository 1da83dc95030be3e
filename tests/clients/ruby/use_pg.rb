# The pg gem. Its calls release the interpreter's lock, so threads are a crowd.
require 'pg'

CLIENTS = (ENV['CLIENTS'] || 30).to_i
$passed = $failed = 0

def run(what)
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  $passed += 1
  puts format('ok %s (%.1f s)', what, Process.clock_gettime(Process::CLOCK_MONOTONIC) - began)
rescue StandardError => why
  $failed += 1
  puts "FAILED #{what}: #{why.class}: #{why.message}", why.backtrace.first(6)
end

def crowd(clients = CLIENTS)
  threads = clients.times.map do |number|
    Thread.new do
      Thread.current.report_on_exception = false
      c = PG.connect(ENV['DATABASE_URL'])
      yield c, number
    ensure
      c&.close
    end
  end
  why = threads.map { |t| t.join && nil rescue $! }.compact
  raise why.first unless why.empty?
end

def same(found, wanted)
  raise "found #{found.inspect}, wanted #{wanted.inspect}" unless found == wanted
end

def fails(error)
  yield
rescue error
  nil
else
  raise "nothing raised #{error}"
end

run('schema') do
  crowd(1) do |c, _|
    c.exec('CREATE TABLE item (id int PRIMARY KEY, owner int, name text);
            CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
            INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n')
  end
end

run('prepared statements') do
  crowd do |c, number|
    c.prepare('add', 'INSERT INTO item (id, owner, name) VALUES ($1, $2, $3)')
    c.prepare('get', 'SELECT name FROM item WHERE id = $1')
    20.times do |n|
      key = number * 1000 + n
      c.exec_prepared('add', [key, number, "item #{key}"])
      same(c.exec_prepared('get', [key]).getvalue(0, 0), "item #{key}")
    end
    same(c.describe_prepared('get').nfields, 1)
  end
end

run('transactions') do
  crowd do |c, number|
    15.times do |n|
      source, target = [(number + n) % 10, (number + 3 * n + 1) % 10].sort
      c.transaction do
        c.exec_params('UPDATE account SET money = money - 1 WHERE id = $1', [source])
        c.exec_params('UPDATE account SET money = NULL WHERE id = $1', [source]) if n % 4 == 0
        c.exec_params('UPDATE account SET money = money + 1 WHERE id = $1', [target])
      end
    rescue PG::NotNullViolation
      nil
    end
  end
  crowd(1) { |c, _| same(c.exec('SELECT sum(money) FROM account').getvalue(0, 0), '1000') }
end

run('pipeline mode') do
  crowd do |c, number|
    c.enter_pipeline_mode
    20.times { |n| c.send_query_params('SELECT $1::int + $2::int', [number, n]) }
    c.pipeline_sync
    20.times do |n|
      same(c.get_result.getvalue(0, 0), (number + n).to_s)
      same(c.get_result, nil)
    end
    same(c.get_result.result_status, PG::PGRES_PIPELINE_SYNC)
    c.exit_pipeline_mode
    same(c.exec("SELECT #{number}").getvalue(0, 0), number.to_s)
  end
end

run('single row mode') do
  crowd do |c, number|
    c.send_query("SELECT n FROM generate_series(1, #{500 + number}) n")
    c.set_single_row_mode
    count = 0
    c.get_result.stream_each { count += 1 }
    same(count, 500 + number)
    same(c.get_result, nil)
  end
end

run('COPY') do
  crowd do |c, number|
    c.copy_data('COPY item (id, owner, name) FROM STDIN') do
      200.times { |n| c.put_copy_data("#{1_000_000 + number * 1000 + n}\t#{number}\tcopied\n") }
    end
    count = 0
    c.copy_data("COPY (SELECT id FROM item WHERE owner = #{number} AND name = 'copied') TO STDOUT") do
      count += 1 while c.get_copy_data
    end
    same(count, 200)
    fails(RuntimeError) { c.copy_data('COPY item (id) FROM STDIN') { raise 'given up' } }
    same(c.exec('SELECT 1').getvalue(0, 0), '1')
  end
end

run('large objects') do
  crowd(10) do |c, number|
    c.transaction do
      oid = c.lo_creat
      lob = c.lo_open(oid, PG::INV_READ | PG::INV_WRITE)
      c.lo_write(lob, number.to_s * 50_000)
      c.lo_lseek(lob, 0, PG::SEEK_SET)
      same(c.lo_read(lob, 1000), (number.to_s * 1000)[0, 1000])
      c.lo_close(lob)
      c.lo_unlink(oid)
    end
  end
end

run('cancel') do
  crowd(5) do |c, number|
    c.send_query('SELECT pg_sleep(20)')
    sleep 0.2
    same(c.cancel, nil)
    fails(PG::QueryCanceled) { c.get_last_result }
    same(c.exec("SELECT #{number}").getvalue(0, 0), number.to_s)
  end
end

run('errors') do
  crowd do |c, number|
    5.times do
      fails(PG::UndefinedTable) { c.exec('SELECT * FROM nowhere') }
      fails(PG::DivisionByZero) { c.exec_params('SELECT 1 / $1::int', [0]) }
      same(c.exec_params('SELECT $1::int', [number]).getvalue(0, 0), number.to_s)
    end
  end
end

run('reset') do
  crowd do |c, number|
    c.reset
    same(c.exec("SELECT #{number}").getvalue(0, 0), number.to_s)
  end
end

puts "#{$passed} passed, #{$failed} failed"
exit($failed.zero? ? 0 : 1)
