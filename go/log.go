package shmipc

import (
	"context"
	"log/slog"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

func (g *Guest) info(text string, args ...any)  { g.say(slog.LevelInfo, text, args) }
func (g *Guest) warn(text string, args ...any)  { g.say(slog.LevelWarn, text, args) }
func (g *Guest) error(text string, args ...any) { g.say(slog.LevelError, text, args) }

func (g *Guest) say(level slog.Level, text string, args []any) {
	if g.log != nil {
		args = append([]any{"region", base.Printable(g.name)}, args...)
		g.log.Log(context.Background(), level, "shmipc: "+text, args...)
	}
}
