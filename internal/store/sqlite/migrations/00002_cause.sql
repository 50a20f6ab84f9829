-- +goose Up

-- Who or what brought a change about, as JSON; empty for what was written before this column.
ALTER TABLE events ADD COLUMN cause TEXT NOT NULL DEFAULT '';
