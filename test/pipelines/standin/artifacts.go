package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// upload keeps files as an artifact of the run. Files and folders lie in it as they do below the folder they have in common.
// https://github.com/actions/upload-artifact#upload-using-multiple-paths-and-exclusions
func upload([]string) error {
	if err := required("path"); err != nil {
		return err
	}
	name := cmp.Or(input("name"), "artifact")
	if strings.ContainsAny(name, "\":<>|*?\r\n\\/") {
		return fmt.Errorf("name %q has characters that GitHub refuses", name)
	}
	to := store().Artifact(run(), name)
	if _, err := os.Stat(to); err == nil {
		if input("overwrite") != "true" {
			return fmt.Errorf("the run has an artifact %q already", name)
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	files, err := matches(strings.Fields(input("path")))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		switch cmp.Or(input("if-no-files-found"), "warn") {
		case "error":
			return fmt.Errorf("no files were found with the provided path: %s", input("path"))
		case "warn":
			fmt.Println("::warning::No files were found with the provided path:", input("path"))
		}
		return nil
	}
	base := common(files)
	for _, file := range files {
		relative, err := filepath.Rel(base, file)
		if err != nil {
			return err
		}
		if hidden(relative) && input("include-hidden-files") != "true" {
			continue
		}
		if err := copyFile(file, filepath.Join(to, relative)); err != nil {
			return err
		}
	}
	return nil
}

// matches are the files below the paths, which may be folders and have wildcards.
func matches(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		if strings.HasPrefix(path, "!") || strings.Contains(path, "**") {
			return nil, fmt.Errorf("path %q: the stand-in knows no exclusions and no **", path)
		}
		found, err := filepath.Glob(path)
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			err := filepath.WalkDir(one, func(file string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Type().IsRegular() {
					files = append(files, file)
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// common is the folder that all are in; of one file, its own; of one folder that was named, that.
func common(files []string) string {
	if path := strings.TrimSpace(input("path")); !strings.ContainsAny(path, "\n*?") {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return path
		}
	}
	base := filepath.Dir(files[0])
	for _, file := range files {
		for base != "." && !strings.HasPrefix(file, base+string(filepath.Separator)) {
			base = filepath.Dir(base)
		}
	}
	return base
}

func hidden(path string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if strings.HasPrefix(part, ".") && part != "." {
			return true
		}
	}
	return false
}

// download fetches an artifact of this run, or of another for which the token is good.
func download([]string) error {
	if input("pattern") != "" {
		return downloadAll()
	}
	if err := required("name"); err != nil {
		return err
	}
	return fetch(run(), input("name"), cmp.Or(input("path"), "."))
}

// downloadAll fetches the artifacts whose names match, each into a folder of its name or, merged, into one.
func downloadAll() error {
	found, err := filepath.Glob(store().Artifact(run(), input("pattern")))
	if err != nil {
		return err
	}
	for _, from := range found {
		to := cmp.Or(input("path"), ".")
		if input("merge-multiple") != "true" {
			to = filepath.Join(to, filepath.Base(from))
		}
		if err := fetch(run(), filepath.Base(from), to); err != nil {
			return err
		}
	}
	return nil
}

func fetch(run int, name, to string) error {
	from := store().Artifact(run, name)
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("run %d has no artifact %q", run, name)
	}
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return copyFile(file, filepath.Join(to, relative))
	})
}

// copyFile keeps no rights, as artifacts do not.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
