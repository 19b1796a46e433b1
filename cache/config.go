package cache

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"odastream/schema"
)

// Config says how the cache is indexed and how long it keeps rows.
type Config struct {
	GIN string `env:"GIN" envDefault:"on" oneof:"on,off" help:"GIN index on the rows' content; off: faster writes, slow joined views"`
	TTL TTL    `env:"TTL" help:"how long rows are kept after their last change, as Entity=duration,…; none: for ever"`
}

// TTL says how long rows are kept after they last changed, by the entity's own
// name. An entity that it does not name is kept for ever; so are all with a nil TTL.
type TTL map[string]time.Duration

// UnmarshalText reads "Omtryk=720h,Debat=24h": names in any case, æøå or
// transliterated, durations above 0. It reports every fault at once; an unknown
// name gives a *schema.UnknownEntityError.
func (t *TTL) UnmarshalText(text []byte) error {
	ttl, faults := TTL{}, []error(nil)
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := ttl.add(part); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	*t = ttl
	return nil
}

func (t TTL) add(part string) error {
	name, text, ok := strings.Cut(part, "=")
	if !ok {
		return fmt.Errorf("%q is not Entity=duration", part)
	}
	entity, err := schema.Lookup(strings.TrimSpace(name))
	if err != nil {
		return err
	}
	keep, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || keep < time.Second {
		return fmt.Errorf("%q is not a duration of at least 1s, such as 720h", text)
	}
	if _, twice := t[entity.Name]; twice {
		return fmt.Errorf("%s is named twice", entity.Name)
	}
	t[entity.Name] = keep
	return nil
}
