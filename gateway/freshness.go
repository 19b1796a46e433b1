package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"odastream/query"
)

const (
	// refreshEvery is how often the state of the copy is read: an answer that has changed
	// is taken for unchanged for that long at most.
	refreshEvery = time.Second
	// staleAfter is the age at which a state no longer vouches for an answer.
	staleAfter = 5 * time.Second
	// tagsKept is how many answers' tags are remembered, about 200 bytes each.
	tagsKept = 1 << 16
)

// freshness knows what the copy holds of each entity, and which tag an answer had then. So
// an unchanged answer costs no query.
type freshness struct {
	read func(context.Context) (map[string]query.State, error)
	log  *slog.Logger
	tags *lru.Cache[answerKey, taggedAnswer]

	mu     sync.RWMutex
	states map[string]query.State
	readAt time.Time
	failed bool
}

// answerKey is a digest of all that an answer follows from, but for the copy.
type answerKey [sha256.Size]byte

func newAnswerKey(parts ...string) answerKey {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

// taggedAnswer is the tag of an answer, and the version of the copy that it was of.
type taggedAnswer struct{ version, tag string }

func newFreshness(read func(context.Context) (map[string]query.State, error), log *slog.Logger) (*freshness, error) {
	tags, err := lru.New[answerKey, taggedAnswer](tagsKept)
	if err != nil {
		return nil, err
	}
	return &freshness{read: read, log: log, tags: tags}, nil
}

// run refreshes the states until ctx ends.
func (f *freshness) run(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		f.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// refresh reads the states. They are as old as the beginning of the reading.
func (f *freshness) refresh(ctx context.Context) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, staleAfter)
	defer cancel()
	states, err := f.read(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		if !f.failed && ctx.Err() == nil {
			f.log.WarnContext(ctx, "the state of the copy cannot be read, trying again", "err", err)
		}
		f.failed = true
		return
	}
	if f.failed {
		f.log.InfoContext(ctx, "the state of the copy is read again")
	}
	f.states, f.readAt, f.failed = states, began, false
}

// state is what the copy holds of the entities of an answer.
type state struct {
	version         string // "" if it is unknown
	changedAt       time.Time
	completeThrough time.Time
}

// of returns the state of entities: what was last applied to any, and what all are
// complete to.
func (f *freshness) of(entities []string) (s state) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if time.Since(f.readAt) > staleAfter {
		return state{}
	}
	for i, name := range entities {
		e := f.states[name]
		s.version += fmt.Sprintf("%s=%s;", name, e.Version)
		if e.ChangedAt.After(s.changedAt) {
			s.changedAt = e.ChangedAt
		}
		if i == 0 || e.CompleteThrough.Before(s.completeThrough) {
			s.completeThrough = e.CompleteThrough
		}
	}
	return s
}

// age returns how old the states are.
func (f *freshness) age() time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return time.Since(f.readAt)
}

// known returns the tag of an answer that was last given from this version.
func (f *freshness) known(key answerKey, s state) (tag string, ok bool) {
	if s.version == "" {
		return "", false
	}
	answer, ok := f.tags.Get(key)
	return answer.tag, ok && answer.version == s.version
}

// remember keeps the tag of an answer that was given after s was read.
func (f *freshness) remember(key answerKey, s state, tag string) {
	if s.version != "" {
		f.tags.Add(key, taggedAnswer{s.version, tag})
	}
}

// tagOf returns the tag of an answer's content.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}

// gzipSuffix ends the tag of an answer that was sent as gzip; package gzhttp writes -zstd
// for the other.
const gzipSuffix = "-gzip"

var uncompressed = strings.NewReplacer(gzipSuffix+`"`, `"`, `-zstd"`, `"`)

// matching returns the tag among those of If-None-Match that stands for an answer, as the
// client wrote it; "" if there is none.
func matching(r *http.Request, tag string) string {
	for _, header := range r.Header.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" {
				return tag
			}
			if uncompressed.Replace(strings.TrimPrefix(candidate, "W/")) == tag {
				return candidate
			}
		}
	}
	return ""
}
