package shmipc

import (
	"context"
	"log/slog"
)

func (g *Guest) info(text string, args ...any)  { g.say(slog.LevelInfo, text, args) }
func (g *Guest) warn(text string, args ...any)  { g.say(slog.LevelWarn, text, args) }
func (g *Guest) error(text string, args ...any) { g.say(slog.LevelError, text, args) }

func (g *Guest) say(level slog.Level, text string, args []any) {
	if g.log != nil {
		args = append([]any{"region", printable(g.name)}, args...)
		g.log.Log(context.Background(), level, "shmipc: "+text, args...)
	}
}
