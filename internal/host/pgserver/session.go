package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// probeEvery is how often a starting server is asked whether it is ready. A
// warm start takes 50 ms.
const probeEvery = 10 * time.Millisecond

var errEnded = errors.New("the server ended while it was starting")

// running says whether a server that another process started serves the
// cluster. It waits for one that starts or stops just now, and with stop it
// ends the server first.
func (c cluster) running(ctx context.Context, stop bool) (bool, error) {
	process := c.postmaster()
	if process == nil {
		return false, nil
	}
	if stop {
		if err := process.Signal(os.Interrupt); err != nil {
			return false, fmt.Errorf("stop the server that runs already (process %d): %w", process.Pid, err)
		}
	}
	ended, cancel := watchEnd(ctx, process)
	defer cancel()
	if stop {
		select {
		case <-ended:
			return false, nil
		case <-ctx.Done():
			return false, fmt.Errorf("wait for the end of process %d: %w", process.Pid, ctx.Err())
		}
	}
	err := c.ready(ctx, ended)
	if errors.Is(err, errEnded) {
		return false, nil
	}
	return err == nil, err
}

// postmaster is the process that serves the cluster by its pid file, nil if
// there is none or it has ended. A pid file left by a crash may name a process
// of another kind by now: Postgres itself checks that too, and so does ready.
func (c cluster) postmaster() *os.Process {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 || !isPostgres(pid) {
		return nil
	}
	process, err := os.FindProcess(pid)
	if err != nil || process.Signal(syscall.Signal(0)) != nil {
		return nil
	}
	return process
}

// isPostgres keeps us from taking, or stopping, a stranger that was given the
// process id of a server that crashed. Without /proc the answer is yes.
func isPostgres(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat("/proc/self/comm")
		return err != nil
	}
	return strings.HasPrefix(string(name), "postgres")
}

// watchEnd closes the channel when a process that is not our child has ended.
func watchEnd(ctx context.Context, process *os.Process) (<-chan struct{}, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for process.Signal(syscall.Signal(0)) == nil {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		close(ended)
	}()
	return ended, cancel
}

// ready returns nil once the server accepts connections, errEnded if it ends.
func (c cluster) ready(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code != "57P03" { // cannot_connect_now: it starts or stops
			return fmt.Errorf("connect: %w", err)
		}
		select {
		case <-tick.C:
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("wait for connections: %w (%w)", err, ctx.Err())
		}
	}
}

func (c cluster) createDatabase(ctx context.Context) error {
	err := c.exec(ctx, "CREATE DATABASE "+pgx.Identifier{c.database}.Sanitize())
	if exists, ok := errors.AsType[*pgconn.PgError](err); ok && exists.Code == "42P04" { // duplicate_database
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", c.database, err)
	}
	return nil
}

func (c cluster) exec(ctx context.Context, sql string) error {
	config, err := pgx.ParseConfig(c.url("postgres"))
	if err != nil {
		return err
	}
	// PGOPTIONS was meant for another server.
	delete(config.RuntimeParams, "options")
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}
