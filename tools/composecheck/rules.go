package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// check returns one line for each fault, sorted by service.
func check(project *types.Project) []string {
	var faults []string
	for _, name := range project.ServiceNames() {
		service := project.Services[name]
		for _, rule := range []func(types.ServiceConfig) string{
			restarts, hasHealthCheck, waitsForHealth, pinsImage, buildsKnownTarget, scales, hidesPorts, answersOutside, keepsData,
		} {
			if fault := rule(service); fault != "" {
				faults = append(faults, name+": "+fault)
			}
		}
	}
	return faults
}

func restarts(s types.ServiceConfig) string {
	if s.Restart != types.RestartPolicyUnlessStopped {
		return fmt.Sprintf("restart is %q, want unless-stopped: a daemon comes back after a crash", s.Restart)
	}
	return ""
}

func hasHealthCheck(s types.ServiceConfig) string {
	if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 {
		return "has no health check"
	}
	return ""
}

func waitsForHealth(s types.ServiceConfig) string {
	for name, dependency := range s.DependsOn {
		if dependency.Condition != types.ServiceConditionHealthy {
			return fmt.Sprintf("waits for %s until it is %s, want service_healthy", name, dependency.Condition)
		}
	}
	return ""
}

func pinsImage(s types.ServiceConfig) string {
	if s.Build != nil {
		return ""
	}
	name := s.Image[strings.LastIndex(s.Image, "/")+1:]
	if _, tag, ok := strings.Cut(name, ":"); !ok || tag == "latest" {
		return fmt.Sprintf("image %q names no version", s.Image)
	}
	return ""
}

var stage = regexp.MustCompile(`(?mi)^FROM\s.*\sAS\s+(\S+)\s*$`)

func buildsKnownTarget(s types.ServiceConfig) string {
	if s.Build == nil {
		return ""
	}
	file := filepath.Join(s.Build.Context, s.Build.Dockerfile)
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Sprintf("build: %v", err)
	}
	var stages []string
	for _, match := range stage.FindAllStringSubmatch(string(text), -1) {
		stages = append(stages, match[1])
	}
	if !slices.Contains(stages, s.Build.Target) {
		return fmt.Sprintf("builds target %q, which %s does not have (it has %s)", s.Build.Target, filepath.Base(file), strings.Join(stages, ", "))
	}
	return ""
}

// scales checks what `--scale sink=3` needs.
func scales(s types.ServiceConfig) string {
	if s.Name != "sink" {
		return ""
	}
	if s.ContainerName != "" || len(s.Ports) > 0 {
		return "has a container name or a port of the host: only one of it can run"
	}
	return ""
}

func hidesPorts(s types.ServiceConfig) string {
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			return fmt.Sprintf("opens port %s to the network, want 127.0.0.1: no service here has a safe password", port.Published)
		}
	}
	return ""
}

// listens are the variables that hold the addresses of a target that we build.
var listens = map[string][]string{"poller": {"HTTP_ADDR"}, "sink": {"HTTP_ADDR"}, "gateway": {"HTTP_ADDR", "GATEWAY_ADDR"}}

// answersOutside checks that a program with a port listens on all interfaces of its
// container. Its default is loopback only.
func answersOutside(s types.ServiceConfig) string {
	if s.Build == nil {
		return ""
	}
	variables, ours := listens[s.Build.Target]
	if !ours {
		return ""
	}
	ports := slices.Clone(s.Expose)
	for _, port := range s.Ports {
		ports = append(ports, fmt.Sprint(port.Target))
	}
	for _, port := range ports {
		if !slices.ContainsFunc(variables, func(name string) bool { addr := s.Environment[name]; return addr != nil && *addr == ":"+port }) {
			return fmt.Sprintf("has port %s, want %s to be :%s: on loopback it cannot be reached from outside", port, strings.Join(variables, " or "), port)
		}
	}
	return ""
}

// keepsData checks that a store's image has a named volume. One without a name is lost
// with its container.
func keepsData(s types.ServiceConfig) string {
	if s.Build != nil {
		return ""
	}
	for _, volume := range s.Volumes {
		if volume.Type == types.VolumeTypeVolume && volume.Source != "" {
			return ""
		}
	}
	return "has no named volume: its data are lost with the container"
}
