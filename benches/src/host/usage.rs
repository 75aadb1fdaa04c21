//! What a process takes of the machine, as the kernel counts it. Linux only: elsewhere there are no
//! figures, rather than wrong ones.

/// The kernel's clock ticks a second in `/proc`: 100 on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;
/// Fields of `/proc/PID/stat` between the name's parenthesis and the time in user space.
const FIELDS_BEFORE_UTIME: usize = 11;

/// Seconds of CPU time that a process has used.
pub(crate) fn cpu_s(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, spaces and parentheses too.
    let fields = &stat[stat.rfind(')')? + 1..];
    let times = fields.split_whitespace().skip(FIELDS_BEFORE_UTIME).take(2);
    Some(times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S)
}

/// Seconds of CPU time that the whole machine has used.
pub(crate) fn machine_cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system, idle, waiting for disks, interrupts twice.
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|field| ticks.get(*field)).sum::<f64>();
    Some(busy / TICKS_PER_S)
}

/// Bytes of memory that a process holds.
pub(crate) fn rss_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let me = std::process::id();
        let (before, machine) = (cpu_s(me).unwrap(), machine_cpu_s().unwrap());
        let mut sum = 0_u64;
        while cpu_s(me).unwrap() < before + 0.05 {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert!(machine_cpu_s().unwrap() >= machine, "{sum}");
        assert!(rss_bytes(me).unwrap() > 1 << 20);
    }

    #[test]
    fn of_a_process_that_is_not_there_nothing_is_known() {
        assert_eq!((cpu_s(u32::MAX), rss_bytes(u32::MAX)), (None, None));
    }
}
