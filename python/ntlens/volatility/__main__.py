"""volatility3's command line, with every dump that ntlens reads: `python -m ntlens.volatility -f MEMORY.DMP PLUGIN`."""

from volatility3.cli import main

import ntlens.volatility  # noqa: F401 (volatility3 finds the classes of layers that are imported)

if __name__ == "__main__":
    main()
