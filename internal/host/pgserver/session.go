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

// probeEvery is the pause between checks whether a starting server is ready. A warm start
// takes 50 ms.
const probeEvery = 10 * time.Millisecond

var errEnded = errors.New("the server ended while it was starting")

// running reports whether a server of another process serves the cluster. It waits for
// one that is just starting or stopping. With stop it first ends the server.
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

// postmaster returns the process that serves the cluster by its pid file, nil if there is
// none or it has ended. After a crash the pid file may name an unrelated process.
// Postgres checks that too, and so does ready.
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

// isPostgres reports whether a process is Postgres. Otherwise we might use or stop
// another process that now has the id of a crashed server. Without /proc it returns true.
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

// ready returns nil once the server accepts connections, and errEnded if it ends.
func (c cluster) ready(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code != "57P03" { // cannot_connect_now: it is starting or stopping
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
	// PGOPTIONS is for another server.
	delete(config.RuntimeParams, "options")
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}
