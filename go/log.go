package shmipc

import (
	"context"
	"log/slog"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

func (g *Guest) info(text string, args ...any)  { logTo(g.log, slog.LevelInfo, g.name, text, args) }
func (g *Guest) warn(text string, args ...any)  { logTo(g.log, slog.LevelWarn, g.name, text, args) }
func (g *Guest) error(text string, args ...any) { logTo(g.log, slog.LevelError, g.name, text, args) }

// logTo logs about the region of this name; nil: there is no log.
func logTo(log *slog.Logger, level slog.Level, name, text string, args []any) {
	if log != nil {
		args = append([]any{"region", base.Printable(name)}, args...)
		log.Log(context.Background(), level, "shmipc: "+text, args...)
	}
}
