package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"parley/internal/agent/roster"
)

// tokenKeyMin is the length of a key that signs tokens, in bytes (RFC 7518 section 3.2).
const tokenKeyMin = 32

// tokenKey is what the tokens of agents are signed with: as configured, or one that the first start makes and keeps.
func (p *parts) tokenKey() ([]byte, error) {
	if p.c.API.TokenKey != "" {
		return []byte(p.c.API.TokenKey), nil // checked by config
	}
	file := filepath.Join(p.c.Data, "token-key")
	kept, err := os.ReadFile(file)
	if text := strings.TrimSpace(string(kept)); err == nil && len(text) >= tokenKeyMin {
		return []byte(text), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // another key would void all tokens
		return nil, fmt.Errorf("read the key that signs tokens: %w", err)
	}
	key := rand.Text() + rand.Text()
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("keep the key that signs tokens: %w", err)
	}
	return []byte(key), nil
}

// openAgents makes what has the status of agents follow their calls.
func (p *parts) openAgents(ctx context.Context) (err error) {
	p.agents, err = roster.New(p.store).Follow(ctx, p.log)
	return err
}
