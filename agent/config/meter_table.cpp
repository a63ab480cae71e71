#include "agent/config/meter_table.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/config/flag_file.h"

namespace metergate {

namespace {

char separator_of(std::string_view header) {
  for (const char separator : {'\t', ';'}) {
    if (header.find(separator) != std::string_view::npos) return separator;
  }
  return ',';
}

void skip_blanks(std::string_view& rest, char separator) {
  while (!rest.empty() && rest[0] != separator && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
}

Result<std::string> take_cell(std::string_view& rest, char separator) {
  skip_blanks(rest, separator);
  if (rest.empty() || rest[0] != '"') {
    const std::size_t end = std::min(rest.find(separator), rest.size());
    std::string cell(trim(rest.substr(0, end)));
    rest.remove_prefix(end);
    return cell;
  }
  auto cell = take_quoted(rest);
  skip_blanks(rest, separator);
  if (cell && !rest.empty() && rest[0] != separator) {
    return Error{Errc::kInvalid, in_quotes(rest) + " stands behind a closing quote"};
  }
  return cell;
}

Result<std::vector<std::string>> cells_of(std::string_view line, char separator) {
  std::vector<std::string> cells;
  for (;;) {
    auto cell = take_cell(line, separator);
    if (!cell) return cell.error();
    cells.push_back(std::string(trim(*cell)));
    if (line.empty()) return cells;
    line.remove_prefix(1);
  }
}

Result<std::vector<std::string>> columns_of(std::string_view header, char separator) {
  auto columns = cells_of(header, separator);
  if (!columns) return columns;
  while (!columns->empty() && columns->back().empty()) columns->pop_back();
  const auto& known = meter_keys();
  for (auto column = columns->begin(); column != columns->end(); ++column) {
    if (std::find(known.begin(), known.end(), *column) == known.end()) {
      return Error{Errc::kInvalid, in_quotes(*column) + " is no column; the header holds --meter's keys, such as id" +
                                       separator + "bus" + separator + "unit" + separator + "profile" +
                                       hint(*column, known)};
    }
    if (std::find(columns->begin(), column, *column) != column) {
      return Error{Errc::kInvalid, "the column " + in_quotes(*column) + " stands twice in the header"};
    }
  }
  return columns;
}

Result<SpecFields> fields_of(const std::vector<std::string>& columns, const std::vector<std::string>& cells) {
  SpecFields fields;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    if (i >= columns.size()) return Error{Errc::kInvalid, in_quotes(cells[i]) + " stands in a column without a header"};
    fields.push_back({columns[i], cells[i]});
  }
  return fields;
}

}  // namespace

std::variant<std::vector<MeterAndPoll>, UsageError> parse_meter_table(const std::string& path,
                                                                      std::string_view content) {
  const auto lines = text_lines(content);
  if (!lines) return UsageError{path + ": " + lines.error().detail, kWrongFile};
  std::vector<MeterAndPoll> meters;
  std::vector<std::string> columns;
  char separator = ',';
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const std::string& line = (*lines)[i];
    if (trim(line).empty() || line[0] == '#') continue;
    const Place place = path + ":" + std::to_string(i + 1);
    const auto refused = [&place](const Error& error) { return UsageError{place + ": " + error.detail, kWrongFile}; };
    if (columns.empty()) {
      separator = separator_of(line);
      const auto header = columns_of(line, separator);
      if (!header) return refused(header.error());
      columns = *header;
      continue;
    }
    const auto cells = cells_of(line, separator);
    if (!cells) return refused(cells.error());
    const auto fields = fields_of(columns, *cells);
    if (!fields) return refused(fields.error());
    if (fields->empty()) continue;  // a row of separators only, as spreadsheets leave them
    auto meter = parse_meter(*fields, place);
    if (!meter) return refused(meter.error());
    meters.push_back(std::move(*meter));
  }
  if (columns.empty())
    return UsageError{path + ": the file has no header; it holds --meter's keys, such as id,bus,unit,profile",
                      kWrongFile};
  return meters;
}

std::variant<std::vector<MeterAndPoll>, UsageError> read_meter_table(const std::string& path) {
  const auto content = read_file(path);
  if (!content) return UsageError{content.error().detail, kWrongFile};
  return parse_meter_table(path, *content);
}

}  // namespace metergate
