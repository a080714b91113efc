"""Reports: tables and figures of run folders as one self-contained HTML page.

A report is a pure function of the folder: it needs no data, no device and no live object, and
rendering it twice gives the same bytes.
"""
