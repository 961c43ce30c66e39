"""Runs a command on a terminal of its own: what comes on stdin is typed, what the terminal shows goes to stdout.
When stdin ends the terminal is closed, as a lost SSH connection closes it. Exits with the command's code."""
import fcntl, os, pty, select, struct, sys, termios

pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 110, 0, 0))
typing = True
while True:
    ready, _, _ = select.select([master] + ([0] if typing else []), [], [])
    if 0 in ready:
        text = os.read(0, 65536)
        if text:
            os.write(master, text)
        else:
            typing = False
            os.close(master)
            break
    if master in ready:
        try:
            shown = os.read(master, 65536)
        except OSError:
            break
        if not shown:
            break
        os.write(1, shown)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
