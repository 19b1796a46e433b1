package kafkaserver

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// place is a broker's directory and its two ports.
type layout struct {
	dir                    string
	brokerPort, quorumPort int
}

// logConfig limits the log to what a failed test needs.
const logConfig = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`

func openLayout(dir string) (layout, error) {
	if dir == "" {
		return layout{}, errors.New("no directory given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, fmt.Errorf("find directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return layout{}, fmt.Errorf("make directory: %w", err)
	}
	p := layout{dir: dir}
	return p, p.choosePorts()
}

func (p layout) address() string       { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.brokerPort)) }
func (p layout) dataDir() string       { return filepath.Join(p.dir, "data") }
func (p layout) configFile() string    { return filepath.Join(p.dir, "server.properties") }
func (p layout) logConfigFile() string { return filepath.Join(p.dir, "log4j2.properties") }
func (p layout) logFile() string       { return filepath.Join(p.dir, "kafka.log") }
func (p layout) portsFile() string     { return filepath.Join(p.dir, "ports") }

// choosePorts chooses two free ports once and keeps them, since clients of a killed
// broker try its old address.
func (p *layout) choosePorts() error {
	text, err := os.ReadFile(p.portsFile())
	if err == nil {
		if _, err := fmt.Sscan(string(text), &p.brokerPort, &p.quorumPort); err != nil {
			return fmt.Errorf("read ports from %s: %w", p.portsFile(), err)
		}
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read ports: %w", err)
	}
	for _, port := range []*int{&p.brokerPort, &p.quorumPort} {
		if *port, err = freePort(p.brokerPort); err != nil {
			return err
		}
	}
	if err := os.WriteFile(p.portsFile(), fmt.Appendln(nil, p.brokerPort, p.quorumPort), 0o600); err != nil {
		return fmt.Errorf("save ports: %w", err)
	}
	return nil
}

// freePort chooses a port below the range of outgoing connections, so that while the
// broker is down no connection gets its port by chance.
func freePort(taken int) (int, error) {
	const first, last, tries = 15000, 32000, 100
	for range tries {
		n, err := rand.Int(rand.Reader, big.NewInt(last-first))
		if err != nil {
			return 0, fmt.Errorf("pick a port: %w", err)
		}
		port := first + int(n.Int64())
		if port != taken && isFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("pick a port: none of %d tried between %d and %d is free", tries, first, last)
}

func isFree(port int) bool {
	// It is closed at once and accepts nothing, so no context is needed.
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func (p layout) configure(overrides map[string]string) error {
	properties := p.properties()
	maps.Copy(properties, overrides)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", name, properties[name])
	}
	for file, content := range map[string]string{p.configFile(): text.String(), p.logConfigFile(): logConfig} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
	}
	return nil
}

func (p layout) properties() map[string]string {
	quorum := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.quorumPort))
	return map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.bootstrap.servers":              quorum,
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        "PLAINTEXT://" + p.address() + ",CONTROLLER://" + quorum,
		"advertised.listeners":                             "PLAINTEXT://" + p.address() + ",CONTROLLER://" + quorum,
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                                         p.dataDir(),
		"auto.create.topics.enable":                        "false",
		"delete.topic.enable":                              "true",
		"num.partitions":                                   "3",
		"offsets.topic.num.partitions":                     "3",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.num.partitions":             "3",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "3",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		// The default of 128 MiB is a quarter of the memory we give it.
		"log.cleaner.dedupe.buffer.size": "16777216",
	}
}

// errorsInLog returns the first line of the log that helps a person.
func (p layout) errorsInLog() string {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " ERROR ") || strings.Contains(line, " FATAL ") || strings.HasPrefix(line, "Error") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(string(text))
}

// clusterID returns a random UUID in Kafka's format.
func clusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	// Kafka's tools take an id that starts with a dash for an option.
	id[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(id[:])
}
