package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Origin is the input from which a parliament is generated.
type Origin struct {
	Seed  uint64
	Scale float64 // 1 is about 20,000 rows
}

// journal is the file from which a parliament is restored. The first line has its origin,
// and each further line the time of one event, in nanoseconds since 1970. All rows follow
// from these. So the file grows by 20 bytes an event, and after a restart the parliament
// is the same byte for byte.
type journal struct {
	origin Origin
	file   *os.File
}

const journalHead = "odasim seed %d scale %g\n"

// openJournal opens or makes the journal at path and returns the moments in it. It
// removes a last line that a crash has cut off: no client saw that event.
func openJournal(path string, fresh Origin) (*journal, []time.Time, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.ContainsRune(text, '\n') {
		text = fmt.Appendf(nil, journalHead, fresh.Seed, fresh.Scale)
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open journal of the simulated parliament: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	j := &journal{}
	events, err := j.parse(whole)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal of the simulated parliament %s: %w (without the file it starts again)", path, err)
	}
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
		err = j.file.Truncate(int64(len(whole)))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open journal of the simulated parliament: %w", err)
	}
	return j, events, nil
}

func (j *journal) parse(text []byte) ([]time.Time, error) {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	if _, err := fmt.Sscanf(string(head)+"\n", journalHead, &j.origin.Seed, &j.origin.Scale); err != nil {
		return nil, fmt.Errorf("first line: %w", err)
	}
	var events []time.Time
	for line := range bytes.Lines(rest) {
		ns, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(events)+2, err)
		}
		events = append(events, time.Unix(0, ns))
	}
	return events, nil
}

// add writes a moment before its event happens.
func (j *journal) add(at time.Time) error {
	if _, err := j.file.WriteString(strconv.FormatInt(at.UnixNano(), 10) + "\n"); err != nil {
		return fmt.Errorf("write journal of the simulated parliament: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }

// SavedOrigin returns the origin of the parliament of the journal at path; ok is
// false if there is no journal yet.
func SavedOrigin(path string) (origin Origin, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return Origin{}, false
	}
	defer func() { _ = file.Close() }()
	_, err = fmt.Fscanf(file, journalHead, &origin.Seed, &origin.Scale)
	return origin, err == nil
}
