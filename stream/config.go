package stream

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"odastream/schema"
)

// DefaultSource is the base of the ce_source header where Config.Source is
// empty: the address of the public API.
const DefaultSource = "https://oda.ft.dk/api"

// SASL mechanisms that Config.SASLMechanism may name.
const (
	MechanismPlain       = "PLAIN"
	MechanismScramSHA256 = "SCRAM-SHA-256"
	MechanismScramSHA512 = "SCRAM-SHA-512"
)

// Config says how to reach Kafka and how topics are named and made. The zero
// value reaches nothing: Brokers must name at least one address.
type Config struct {
	Brokers          []string `env:"BROKERS" envDefault:"localhost:9092" help:"addresses of brokers, comma-separated"`
	TopicPrefix      string   `env:"TOPIC_PREFIX" envDefault:"parliament-" emptyOK:"true" help:"prefix of every topic's name"`
	Partitions       int32    `env:"PARTITIONS" envDefault:"3" min:"1" max:"1000" help:"partitions of a new topic"`
	Replication      int16    `env:"REPLICATION" min:"0" max:"100" help:"replicas of a new topic; 0: the broker's own default"`
	TLS              bool     `env:"TLS" help:"speak TLS; the broker's certificate is verified"`
	CAFile           string   `env:"CA_FILE" help:"PEM file of authorities to trust instead of the system's"`
	SASLMechanism    string   `env:"SASL_MECHANISM" oneof:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" help:"how to log in; empty: without a login"`
	SASLUsername     string   `env:"SASL_USERNAME" help:"user to log in as"`
	SASLPassword     Secret   `env:"SASL_PASSWORD" secret:"true" help:"the user's password"`
	SASLPasswordFile string   `env:"SASL_PASSWORD_FILE" help:"file with the password, read again at each login"`

	// Source is the base URL of the source, for the ce_source header, where it
	// stands without a user and a password; empty: DefaultSource. It is no setting of Kafka: the program copies ODA_URL here.
	Source string `env:"-"`
}

// Topic names the topic of an entity: the prefix and the entity's name in lower
// case with æ→ae ø→oe å→aa. It also works for entities that schema does not list.
func (c Config) Topic(entity string) string { return c.TopicPrefix + schema.Suffix(entity) }

// DeadLetterTopic names the topic that holds an entity's dead letters.
func (c Config) DeadLetterTopic(entity string) string { return deadLetterName(c.Topic(entity)) }

// deadLetterSuffix ends the name of every dead-letter topic.
const deadLetterSuffix = ".dlq"

func deadLetterName(topic string) string { return topic + deadLetterSuffix }

// topicPrefix is what Kafka allows in a name, short enough to leave room for
// the longest entity and ".dlq" under its 249 bytes.
var topicPrefix = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,180}$`)

// Faults lists what is wrong between settings, one line each, with names of
// variables in braces and without their prefix: "{SASL_USERNAME} is not set, …".
// It reads CAFile and SASLPasswordFile. Nil: nothing is wrong.
func (c Config) Faults() []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !c.hasBroker() && !c.hasCredentials() {
		add("{BROKERS} is %q, want host:port, comma-separated, none of them empty", strings.Join(c.Brokers, ","))
	}
	if c.hasCredentials() { // not shown, then
		add("{BROKERS} is set, but not right, want host:port, comma-separated; {SASL_USERNAME} and {SASL_PASSWORD} say who logs in")
	}
	if !topicPrefix.MatchString(c.TopicPrefix) {
		add("{TOPIC_PREFIX} is %q, want at most 180 letters of a-z A-Z 0-9 . _ -", c.TopicPrefix)
	}
	if _, err := c.tlsConfig(); err != nil {
		add("{CA_FILE} is %q, %v", c.CAFile, err)
	} else if c.CAFile != "" && !c.TLS {
		add("{CA_FILE} is %q, want {TLS}=true with it", c.CAFile)
	}
	return append(faults, c.saslFaults()...)
}

func (c Config) hasBroker() bool {
	for _, b := range c.Brokers {
		if strings.TrimSpace(b) == "" {
			return false
		}
	}
	return len(c.Brokers) > 0
}

// hasCredentials tells whether a broker's address is that of a URL or holds a user.
func (c Config) hasCredentials() bool {
	return slices.ContainsFunc(c.Brokers, func(b string) bool { return strings.ContainsAny(b, "@/") })
}

func (c Config) saslFaults() []string {
	var faults []string
	given := c.SASLUsername != "" || c.SASLPassword != "" || c.SASLPasswordFile != ""
	switch {
	case c.SASLMechanism == "" && given:
		return []string{"{SASL_MECHANISM} is not set, want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 with a user or a password"}
	case c.SASLMechanism == "":
		return nil
	case c.SASLUsername == "":
		faults = append(faults, fmt.Sprintf("{SASL_USERNAME} is not set, want the user to log in as with {SASL_MECHANISM}=%s", c.SASLMechanism))
	}
	if (c.SASLPassword == "") == (c.SASLPasswordFile == "") {
		return append(faults, "{SASL_PASSWORD} and {SASL_PASSWORD_FILE}: want exactly one of them")
	}
	if _, err := c.password(); err != nil {
		faults = append(faults, fmt.Sprintf("{SASL_PASSWORD_FILE} is %q, %v", c.SASLPasswordFile, err))
	}
	return faults
}
