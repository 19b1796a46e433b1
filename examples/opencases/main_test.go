package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/examples/internal/newsroom"
	"odastream/internal/test/machine"
	"odastream/schema"
)

// server is a fake Redis that knows only SADD and SREM.
type server struct {
	addr string

	mu   sync.Mutex
	set  map[string]bool
	deny int    // the number of commands to answer with an error
	full func() // called when case 5 is in the set
}

func serve(t *testing.T) *server {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &server{addr: l.Addr().String(), set: map[string]bool{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return s
}

func (s *server) talk(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, s.answer(args)); err != nil {
			return
		}
		s.notice()
	}
}

func (s *server) notice() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set["5"] && s.full != nil {
		s.full()
	}
}

// expect makes the server refuse some commands, and call full once all cases have
// arrived.
func (s *server) expect(deny int, full func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny, s.full = deny, full
}

// readCommand reads an array of bulk strings.
func readCommand(in *bufio.Reader) (args []string, err error) {
	n, err := number(in, "*")
	for range n {
		size, err := number(in, "$")
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		args = append(args, string(text[:size]))
	}
	return args, err
}

func number(in *bufio.Reader, sign string) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\r\n"), sign)
	if !ok {
		return 0, fmt.Errorf("%q does not begin with %s", line, sign)
	}
	return strconv.Atoi(text)
}

func (s *server) answer(args []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.deny > 0:
		s.deny--
		return "-OOM command not allowed when used memory > 'maxmemory'\r\n"
	case len(args) != 3 || args[1] != set:
		return "-ERR wrong number of arguments\r\n"
	case args[0] == "SADD":
		s.set[args[2]] = true
	case args[0] == "SREM":
		delete(s.set, args[2])
	default:
		return "-ERR unknown command\r\n"
	}
	return ":1\r\n"
}

func (s *server) members() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for member := range s.set {
		all = append(all, member)
	}
	slices.Sort(all)
	return all
}

func sag(id, seq int64, action schema.Action, status int) schema.Change {
	data := fmt.Sprintf(`{"id":%d,"statusid":%d}`, id, status)
	if action == schema.Delete {
		data = ""
	}
	return newsroom.Change("Sag", id, seq, action, data)
}

// parliament has five cases: in the end 1 is closed, 2 open again, 3 deleted, 4 open in a
// state without a name, and 5 open.
func parliament(t *testing.T) *newsroom.Newsroom {
	t.Helper()
	n := newsroom.Open(t, "Sag", "Sagsstatus")
	n.Publish(t,
		newsroom.Change("Sagsstatus", 1, 1, schema.Snapshot, `{"status":"Fremsat"}`),
		newsroom.Change("Sagsstatus", 7, 2, schema.Snapshot, `{"status":"Afsluttet"}`),
		sag(1, 1, schema.Snapshot, 1), sag(2, 2, schema.Snapshot, 7), sag(3, 3, schema.Create, 1), sag(4, 4, schema.Create, 99),
		sag(1, 5, schema.Update, 7), sag(2, 6, schema.Update, 1), sag(3, 7, schema.Delete, 0), sag(5, 8, schema.Create, 1),
	)
	return n
}

func TestTheSetHoldsTheOpenCases(t *testing.T) {
	t.Parallel()
	n, s := parliament(t), serve(t)
	ctx, cancel := context.WithCancel(machine.Context(t, "the last change"))
	defer cancel()
	s.expect(0, cancel)
	if err := run(ctx, n.Config, s.addr); !errors.Is(err, context.Canceled) {
		t.Errorf("run = %v, want the end of its context", err)
	}
	if diff := cmp.Diff([]string{"2", "4", "5"}, s.members()); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}

// A command that Redis refuses ends the program; the next one begins with it.
func TestARecordThatRedisRefusesComesAgain(t *testing.T) {
	t.Parallel()
	n, s := parliament(t), serve(t)
	ctx, cancel := context.WithCancel(machine.Context(t, "the last change"))
	defer cancel()
	s.expect(1, nil)
	if err := run(ctx, n.Config, s.addr); err == nil || !strings.Contains(err.Error(), "keep Sag:1: SADD: OOM") {
		t.Errorf("run = %v, want what Redis said", err)
	}
	s.expect(0, cancel)
	if err := run(ctx, n.Config, s.addr); !errors.Is(err, context.Canceled) {
		t.Errorf("run once more = %v, want the end of its context", err)
	}
	if diff := cmp.Diff([]string{"2", "4", "5"}, s.members()); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}

func TestAnswersOfRedis(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		":1": "1 <nil>", ":-3": "-3 <nil>", "-ERR no": "0 ERR no", "+OK": `0 answer "+OK" is no number`, "": `0 answer "" is no number`,
	} {
		n, err := answer(line)
		if got := fmt.Sprint(n, " ", err); got != want {
			t.Errorf("answer(%q) = %s, want %s", line, got, want)
		}
	}
	if _, err := dial(t.Context(), "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "REDIS_ADDR") {
		t.Errorf("dial of nobody = %v, want it to say where Redis is looked for", err)
	}
}
