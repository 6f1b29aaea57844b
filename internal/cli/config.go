package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

// fromFile takes from a YAML file the settings that flags has and that have no
// value yet. A key that is no setting of serve is an error: it was misspelt.
func fromFile(path string, flags, known *pflag.FlagSet) error {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("the configuration file can't be read: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		// Without the lines around it, which may hold a password.
		return fmt.Errorf("the configuration file %s is not valid YAML: %s", path, yaml.FormatError(err, false, false))
	}
	for _, doc := range file.Docs {
		if err := fromDocument(path, doc.Body, flags, known); err != nil {
			return err
		}
	}
	return nil
}

func fromDocument(path string, body ast.Node, flags, known *pflag.FlagSet) error {
	var pairs []*ast.MappingValueNode
	switch node := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		return fmt.Errorf("%s:%d: must be settings, such as \"listen: 127.0.0.1:5000\"", path, line(body))
	}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		at := fmt.Sprintf("%s:%d", path, line(pair.Key))
		if known.Lookup(key) == nil || key == "config" {
			return fmt.Errorf("%s: there is no setting %q; its name is that of a flag of serve, without the dashes in front", at, key)
		}
		value, err := textOf(key, pair.Value)
		if err != nil {
			return fmt.Errorf("%s: the setting %q %w", at, key, err)
		}
		if f := flags.Lookup(key); f == nil || f.Changed || value == "" {
			continue
		}
		if err := flags.Set(key, value); err != nil {
			return fmt.Errorf("%s: the setting %q: %w", at, key, flagReason(err))
		}
	}
	return nil
}

// textOf is a value as one would write it after the flag of that name.
func textOf(key string, node ast.Node) (string, error) {
	if _, isNull := node.(*ast.NullNode); key == "phases" && !isNull {
		return node.String(), nil
	}
	return scalar(node)
}

// scalar is a value as one would write it after a flag; a list is joined by
// commas.
func scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.NullNode:
		return "", nil
	case *ast.SequenceNode:
		parts := make([]string, len(n.Values))
		for i, v := range n.Values {
			part, err := scalar(v)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return strings.Join(parts, ","), nil
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	}
	return "", errors.New("must be a plain value or a list of such")
}

func line(node ast.Node) int { return node.GetToken().Position.Line }
