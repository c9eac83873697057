package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/exec/sandbox"
	"fairlead/internal/flow"
)

// A driver runs the processes of tasks.
type driver interface {
	exec.Driver
	// Sweep removes what is kept of attempts that keep does not want, and ends
	// them.
	Sweep(keep func(id string) bool) error
}

// drivers are what --driver may be.
var drivers = []string{"sandbox", "container"}

// usualPath is the PATH of a task's processes unless its definition, or its image,
// has another.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Directories of attempts in the data directory.
const (
	sandboxDir   = "attempts"
	containerDir = "containers"
)

// openDriver makes the driver, and returns the Python that tasks shall use. What
// the other driver has left running is ended: nobody would follow it.
func (a *app) openDriver(ctx context.Context) (python string, err error) {
	if a.opt.driver == "container" {
		if err := a.endOthers(sandboxDir, func() (driver, error) { return a.openSandbox(nil) }); err != nil {
			return "", err
		}
		a.driver, err = a.openContainers(ctx)
		return a.opt.python, err // which is the image's
	}
	if err := a.endOthers(containerDir, func() (driver, error) { return a.openContainers(ctx) }); err != nil {
		return "", err
	}
	python, show, err := findPython(a.opt.python)
	if err != nil {
		return "", err
	}
	a.driver, err = a.openSandbox(show)
	return python, err
}

func (a *app) openSandbox(show []string) (driver, error) {
	d, err := sandbox.New(sandbox.Options{
		Root: a.opt.data.path(sandboxDir), Show: show, Hide: []string{string(a.opt.data)}, Plain: a.opt.isolation == "none", Fleeting: a.opt.fleeting,
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (a *app) openContainers(ctx context.Context) (driver, error) {
	d, err := container.New(ctx, container.Options{Root: a.opt.data.path(containerDir), Image: a.opt.image, Path: usualPath})
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, d.Close)
	return d, nil
}

// endOthers ends the attempts of a driver that is not in use any more, if its
// directory is there.
func (a *app) endOthers(dir string, open func() (driver, error)) error {
	path := a.opt.data.path(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := open()
	if err == nil {
		err = d.Sweep(func(string) bool { return false })
	}
	if err != nil {
		return fmt.Errorf("end the tasks that an earlier server with another --driver has left: %w", err)
	}
	if dir == containerDir {
		// Else each start of the server would need the engine.
		return os.RemoveAll(path)
	}
	return nil
}

// imageTag names the tag by which a workflow says what its tasks run in. With a
// colon and a task's id behind it, it speaks of that task.
const imageTag = "fairlead:image"

// checkImageTags refuses names that no image can have.
func checkImageTags(tags map[string]string) error {
	for tag, name := range tags {
		if tag != imageTag && !strings.HasPrefix(tag, imageTag+":") {
			continue
		}
		if err := container.CheckImage(name); err != nil {
			return flow.Errorf(flow.Invalid, "the tag %s: %w", tag, err)
		}
	}
	return nil
}

// imageOf returns the image that a task runs in.
func (a *app) imageOf(tags map[string]string, task flow.TaskID) string {
	return cmp.Or(tags[imageTag+":"+string(task)], tags[imageTag], a.opt.image)
}
