package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

var errNotOneObject = errors.New("this is not a JSON object, or one of its keys is there twice")

// refuseDoubledKeys: of two equal keys each reader may take another one. Go takes keys that differ in case for equal, so
// the outermost ones are compared without it.
func refuseDoubledKeys(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return errNotOneObject
	}
	if err := readObject(decoder, strings.ToLower); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errNotOneObject
	}
	return nil
}

func exactly(key string) string { return key }

func readObject(decoder *json.Decoder, spelled func(string) string) error {
	seen := map[string]bool{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		name := spelled(key.(string))
		if seen[name] {
			return errNotOneObject
		}
		seen[name] = true
		if err := readValue(decoder); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func readValue(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return readObject(decoder, exactly)
	case json.Delim('['):
		for decoder.More() {
			if err := readValue(decoder); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
	}
	return err
}
