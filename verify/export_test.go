package verify

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
)

// NewWith is New with another source.
func NewWith(s source, pool *pgxpool.Pool) *Verifier {
	return &Verifier{source: s, ledger: checkpoint.New(pool), pool: pool, log: slog.New(slog.DiscardHandler)}
}
