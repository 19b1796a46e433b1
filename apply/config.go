package apply

import "time"

// Config sizes the sink's batches: one is written when any of the three limits
// is reached. The zero value is not valid; the tags hold the defaults.
type Config struct {
	Group      string        `env:"GROUP" envDefault:"parliament-sink" help:"consumer group; offsets are kept under its name"`
	BatchRows  int           `env:"BATCH_ROWS" envDefault:"5000" min:"1" max:"100000" help:"records of a batch"`
	BatchBytes Bytes         `env:"BATCH_BYTES" envDefault:"16MiB" min:"64KiB" max:"512MiB" help:"keys and values of a batch; about three batches are in memory at once"`
	Linger     time.Duration `env:"LINGER" envDefault:"250ms" min:"0s" max:"1m" help:"how long a batch waits to become full"`
}
