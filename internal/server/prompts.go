package server

import (
	"path/filepath"

	"parley/internal/blob"
	"parley/internal/prompt"
	"parley/internal/webhook/target"
)

// openPrompts makes the library of sounds that are fetched, spoken and built in.
func (p *parts) openPrompts(files blob.Store) error {
	c := p.c.Prompts
	shelf, err := prompt.Open(prompt.Options{
		Blobs: files, Dir: filepath.Join(p.c.Data, "prompts"), Guard: target.New(p.allowed()), Language: c.Language, MaxSize: int64(c.MaxSize) << 20,
		Longest: c.Longest, Timeout: c.Timeout, Disk: int64(c.Kept) << 20,
	})
	if err != nil {
		return err
	}
	p.prompts = shelf
	return nil
}
