"""A copy of the sources that may be broken: a folder below build/, with a build of its own."""
import contextlib
import shutil
import subprocess


def run(*words, **options):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, **options)


class SourceCopy:
    """A copy in `folder` of all files of `root` that git does not ignore.

    Its build lies as deep as a preset's, so ccache has the objects of the one for the other.
    """

    def __init__(self, root, folder):
        self.root, self.folder, self.build = root, folder, folder / "build" / "dev"

    def refresh(self):
        """Makes the copy equal to the sources again and configures its build. Raises RuntimeError."""
        listed = run("git", "-C", self.root, "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
        names = {name for name in listed if name and (self.root / name).is_file()}
        for name in names:
            source, target = self.root / name, self.folder / name
            if not target.exists() or source.read_bytes() != target.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder)
            if name.parts[0] != "build" and path.is_file() and name.as_posix() not in names:
                path.unlink()
        configured = run("cmake", "-S", self.folder, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0",
                         *(["-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld"] if shutil.which("ld.lld") else []),  # four times as fast
                         *(["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []))
        if configured.returncode != 0:
            raise RuntimeError("cmake does not configure the copy:\n" + configured.stderr)

    def make(self, *targets):
        """Builds them. What the compiler said where it failed, else nothing."""
        built = run("cmake", "--build", self.build, "--target", *targets)
        return "" if built.returncode == 0 else built.stdout[-4000:] + built.stderr[-1000:]

    @contextlib.contextmanager
    def changed(self, file, text):
        """`file` has that text while the context lasts."""
        path = self.folder / file
        before = path.read_bytes()
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(before)
