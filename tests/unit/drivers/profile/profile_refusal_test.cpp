#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/drivers/profile/profile_text.h"

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Wrong {
  std::string line;
  std::string refusal;
};

TEST(ProfileRefusalTest, RefusesAWrongPointWithLineOffendingTextAndWhatWouldBeRight) {
  const Wrong cases[] = {
      {"p = holdin 0 u16", "'holdin': a table is one of coil, discrete, input, holding (did you mean 'holding'?)"},
      {"p = holding 65536 u16", "'65536': an address is a whole number from 0 to 65535"},
      {"p = holding -1 u16", "'-1': an address"},
      {"p = holding 0x u16", "'0x': an address"},
      {"p = holding 65535 u32", "'65535': with 2 registers it reaches beyond the last address, 65535"},
      {"p = holding 0 u17", "'u17': a type is one of u16, "},
      {"p = holding 0 flaot", "'flaot': a type"},
      {"p = holding 0", "'holding 0': TABLE ADDRESS TYPE is needed, such as holding 0x10 u32"},
      {"p =", "'': TABLE ADDRESS TYPE is needed"},
      {"P = holding 0 u16", "'P': the name of a point"},
      {"1p = holding 0 u16", "'1p': the name of a point"},
      {std::string(65, 'a') + " = holding 0 u16", "': the name of a point"},
      {"p holding 0 u16", "'p holding 0 u16': a line is NAME = TABLE ADDRESS TYPE key=value ..."},
      {"p = holding 0 u16 scal=0.1", "'scal=0.1': no such key (did you mean 'scale'?)"},
      {"p = holding 0 u16 scale=0.1 scale=1", "'scale=1': scale was given before"},
      {"p = holding 0 u16 scale=0,1", "'0,1': scale is a decimal number such as 0.01"},
      {"p = holding 0 u16 scale=0", "'0': scale is not 0"},
      {"p = holding 0 u16 offset=x", "'x': offset is a decimal number"},
      {"p = holding 0 u16 # volts", "'#': a comment stands on a line of its own"},
      {"p = holding 0 u16 unit=l per hour",
       "'per': a key is key=value without blanks, or with the value in double quotes"},
      {"p = holding 0 u16 unit=\"l", "'\"l': a double quote needs a second one"},
      {"p = holding 0 u32 order=ABDE", "'ABDE': order is ABCD, CDAB, BADC or DCBA, or the bytes"},
      {"p = holding 0 u8 order=CDAB", "'order=CDAB': goes with all types but u8 and i8"},
      {"p = holding 0 u8 byte=middle", "'middle': byte is one of high, low"},
      {"p = holding 0 u16 byte=high", "'byte=high': goes with u8, i8 and string"},
      {"p = holding 0 string registers=2 byte=high", "'byte=high': needs chars=1"},
      {"p = holding 0 u32 registers=2", "'registers=2': goes with bcd, m10k, string and time"},
      {"p = holding 0 bcd", "'bcd': needs registers="},
      {"p = holding 0 bcd registers=5", "'5': registers of bcd is a whole number from 1 to 4"},
      {"p = holding 0 m10k registers=1", "'1': registers of m10k is a whole number from 2 to 4"},
      {"p = holding 0 string", "'string': needs registers="},
      {"p = holding 0 string registers=126", "'126': registers of string"},
      {"p = holding 0 string registers=2 chars=3", "'3': chars is 2 or 1"},
      {"p = holding 0 time", "'time': needs form=unix, ymdhms or bcd"},
      {"p = holding 0 time form=iso", "'iso': form is one of unix, ymdhms, bcd"},
      {"p = holding 0 time form=unix registers=4", "'registers=4': only time form=ymdhms takes registers"},
      {"p = holding 0 time form=unix scale=2", "'scale=2': goes with numbers"},
      {"p = holding 0 bits", "'bits': needs bits=FIRST:WIDTH"},
      {"p = holding 0 bits bits=4", "'4': bits is FIRST:WIDTH"},
      {"p = holding 0 bits bits=16:1", "'16': the first bit is a whole number from 0 to 15"},
      {"p = holding 0 bits bits=8:9", "'9': the number of bits from 8 is a whole number from 1 to 8"},
      {"p = holding 0 bits bits=0:0", "'0': the number of bits"},
      {"p = coil 0 u32", "'u32': a point of the coil table is bits, or u16 for one bit"},
      {"p = discrete 0 u16 scale=2", "'scale=2': has no meaning in coil and discrete tables"},
      {"p = coil 65535 bits bits=0:2", "'65535': with 2 bits it reaches beyond"},
      {"p = holding 0 u16 parts=0+1", "'0+1': parts is A+B"},
      {"p = holding 0 u48 parts=0+9", "'0+9': parts is A+B, the addresses of equal parts of 3 registers"},
      {"p = holding 0 u32 parts=0", "'0': parts is A+B"},
      {"p = holding 0 u32 parts=1+2", "'1+2': one part is at the point's own address, 0"},
      {"p = holding 0 u64 parts=0+1", "'0+1': the parts overlap"},
      {"p = holding 0 u32 exponent=x-", "'x-': exponent is POINT, or POINT-4"},
      {"p = holding 0 u32 exponent=x-4", "'exponent=x': no such point"},
      {"p = holding 0 u32 times=pq\nqq = holding 2 u16", "'times=pq': no such point (did you mean 'p'?)"},
      {"p = holding 0 u32 sign=q\nq = holding 2 string registers=1", "'sign=q': that point is no number"},
      {"p = holding 0 u32 times=p", "'p': its exponent, times or sign go in a circle"},
      {"p = holding 0 u32 times=q\nq = holding 0 u32 sign=p", "'p': its exponent, times or sign go in a circle"},
      {"p = holding 0 u32 ratio=ct*ct", "'ct*ct': ratio is one of ct, pt, ct*pt"},
      {"p = holding 0 u16 enum=off|on", "'off': enum is NUMBER:text|NUMBER:text"},
      {"p = holding 0 u16 enum=0:off|1:off", "'1:off': was given before"},
      {"p = holding 0 u16 enum=0:off|0:on", "'0:on': was given before"},
      {"p = holding 0 u16 enum=70000:off", "'70000:off': no value of this u16"},
      {"p = holding 0 u16 enum=0:", "'': the name of a value is a text"},
      {"p = holding 0 u16 enum=0:off scale=2", "'scale=2': an enum names raw values"},
      {"p = holding 0 f32 enum=0:off", "'enum=0:off': goes with whole numbers"},
      {"p = holding 0 u16 enum=0:off kind=gauge", "'kind=gauge': an enum is kind=state"},
      {"p = holding 0 u16 na=65536", "'65536': no value of this u16, and no 0x pattern of its width"},
      {"p = holding 0 u16 na=0x10000", "'0x10000': no value"},
      {"p = holding 0 u16 na=", "'': no value"},
      {"p = holding 0 i16 na=1.5", "'1.5': no value"},
      {"p = holding 0 string registers=1 na=0", "'na=0': goes with all types but string"},
      {"p = holding 0 time form=ymdhms na=0", "'na=0': na takes values of at most four registers"},
      {"p = holding 0 u16 min=x", "'x': min is a decimal number"},
      {"p = holding 0 u16 min=2 max=1", "'1': max is not below min"},
      {"p = holding 0 u16 kind=counter wraps=0", "'0': wraps is above 0"},
      {"p = holding 0 u16 wraps=10", "'wraps=10': goes with kind=counter"},
      {"p = holding 0 u16 max_rise=10", "'max_rise=10': goes with kind=counter"},
      {"p = holding 0 u16 kind=counter max_rise=0", "'0': max_rise is above 0"},
      {"p = holding 0 u32 register_bytes=3", "'3': register_bytes is 2 or 4"},
      {"p = holding 0 u16 register_bytes=4", "'register_bytes=4': goes with types of 4 and 8 bytes"},
      {"p = holding 0 u32 register_bytes=4 write=registers", "'write=registers': registers of four bytes cannot be"},
      {"p = holding 0 u32 register_bytes=4 parts=0+7", "'0+7': parts is A+B"},
      {"p = holding 0 u64 order=ABCDEFG", "'ABCDEFG': order is ABCD, CDAB, BADC or DCBA, or the bytes"},
      {"p = holding 0 u64 order=ABCDEFGG", "'ABCDEFGG': order is"},
      {"p = holding 0 u64 order=ABCDEFGI", "'ABCDEFGI': order is"},
      {"p = holding 0 u64 parts=0+9 order=HGFEDCBA",
       "'HGFEDCBA': order is ABCD, CDAB, BADC or DCBA, or the bytes of a "
       "part as they come: ABCD"},
      {"p = holding 0 string registers=2 order=DCAB", "'DCAB': order is one of"},
      {"p = holding 0 u16 unit=" + std::string(65, 'x'), "': unit is a text of 1 to 64 bytes"},
      {"p = holding 0 u16 obis=1.8.0", "'1.8.0': an OBIS code is A-B:C.D.E"},
      {"p = holding 0 u16 obis=1-0:1.8.256", "'1-0:1.8.256': an OBIS code"},
      {"p = holding 0 u16 obis=1-0:1.8.0.1", "'1-0:1.8.0.1': an OBIS code"},
      {"p = holding 0 u16 kind=conter",
       "'conter': kind is one of gauge, counter, state, text (did you mean 'counter'?)"},
      {"p = holding 0 string registers=1 kind=gauge", "'kind=gauge': a string is kind=text"},
      {"p = holding 0 u16 source=thrice", "'thrice': source is one of once, twice"},
      {"active_power = holding 0 u16 unit=kW",
       "'unit=kW': active_power is in W in every profile: multiply scale by 1000 and give unit=W"},
      {"active_energy_import = holding 0 u16 unit=Wh", "multiply scale by 0.001 and give unit=kWh"},
      {"active_energy_import = holding 0 u16 unit=MWh", "multiply scale by 1000 and give unit=kWh"},
      {"frequency = holding 0 u16 unit=rpm", "multiply scale by what converts it and give unit=Hz"},
      {"voltage_l1 = holding 0 u16 unit=\"\"", "'unit=': voltage_l1 is in V in every profile"},
      {"power_factor = holding 0 u16 unit=%", "'unit=%': power_factor has no unit in any profile"},
      {"voltage_l1 = holding 0 string registers=2", "'string': voltage_l1 is a number in V"},
      {"p = holding 0 u16 write=reg", "'reg': write is one of coil, coils, register, registers"},
      {"p = holding 0 u16 write=coil", "'write=coil': a point outside the coil table needs write_address="},
      {"p = input 0 u16 write=register", "'write=register': a point outside the holding table needs write_address="},
      {"p = holding 0 u32 write=register",
       "'write=register': a value of several registers is written with write=registers"},
      {"p = holding 0 u32 parts=0+9 write=registers", "'write=registers': goes with registers that are neighbours"},
      {"p = holding 0 u8 write=register", "'write=register': would overwrite the rest of the register"},
      {"p = holding 0 u16 write=coils write_address=1", "'write=coils': goes with bits"},
      {"p = holding 0 u32 write=registers write_address=65535", "'65535': reaches beyond the last address"},
      {"p = holding 0 u16 times=q write=register\nq = holding 1 u16",
       "'write=register': a point that another one scales"},
      {"p = holding 0 string registers=1 write=registers", "'write=registers': goes with numbers"},
      {"p = holding 0 u16 write_address=1", "'write_address=1': needs write="},
      {"p = holding 0 u16 allow=1", "'allow=1': needs write="},
      {"p = holding 0 u16 verify=p", "'verify=p': needs write="},
      {"p = holding 0 u16 write=register allow=0|x", "'x': allow is NUMBER|NUMBER"},
      {"p = holding 0 u16 write=register allow=0|70000", "allow: '70000': "},
      {"p = holding 0 u16 scale=0.1 write=register allow=0.05", "allow: '0.05': a multiple of 0.1"},
      {"p = holding 0 u16 write=register max=5 allow=6", "allow: '6': at most 5"},
      {"p = coil 0 u16 write=coil allow=0|2", "allow: '2': "},
      {"p = holding 0 u16 write=register verify=q", "'verify=q': no such point"},
      {"p = holding 0 u16 write=register verify=p after", "'after': a key is key=value"},
      {"p = holding 0 u16 write=register verify=p after soon", "'soon': a duration from 0s to 60s"},
      {"p = holding 0 u16 write=register verify=p after 2m", "'2m': a duration from 0s to 60s"},
      {"p = holding 0 u16 write=register verify=p before 2s", "'before': a key is key=value"},
      {"p = holding 0 u16\np = holding 1 u16", "'p': was given before in line 5"},
      {"p = holding 0 u16 unit=\xFF", "': a profile is UTF-8 text"},
      {"[point]", "'[point]': a profile has one [profile] and then one [points] (did you mean '[points]'?)"},
  };
  for (const Wrong& c : cases) {
    const std::string refusal = refusal_of(c.line + "\n");
    EXPECT_THAT(refusal, HasSubstr(c.refusal)) << c.line;
    EXPECT_THAT(refusal, testing::AnyOf(StartsWith("meter.ini:5: "), StartsWith("meter.ini:6: "))) << c.line;
  }
}

TEST(ProfileRefusalTest, TellsEveryWrongLineAtOnce) {
  EXPECT_EQ(refusal_of("a = holdin 0 u16\nb = holding 1 u16\nc = holding 2 u17\n", "hole = x"),
            "meter.ini:3: 'x': hole is a whole number from 0 to 2000\n"
            "meter.ini:5: 'holdin': a table is one of coil, discrete, input, holding (did you mean 'holding'?)\n" +
                refusal_of("\n\nc = holding 2 u17\n"));
  EXPECT_EQ(refusal_of("a = holding 0 u16 times=x\nb = holding 1 u16 sign=y\n"),
            "meter.ini:5: 'times=x': no such point\nmeter.ini:6: 'sign=y': no such point");
}

TEST(ProfileRefusalTest, CountsTheWrongLinesBeyondTwenty) {
  std::string points;
  for (int i = 0; i < 30; ++i) points += "p" + std::to_string(i) + " = holding 0 u17\n";
  const std::string refusal = refusal_of(points);
  EXPECT_EQ(std::count(refusal.begin(), refusal.end(), '\n'), 20);
  EXPECT_THAT(refusal, testing::EndsWith("\nand 10 more wrong lines"));
}

TEST(ProfileRefusalTest, SaysWhatIsRightWhereTheTypeIsMissing) {
  const Wrong cases[] = {
      {"p = holding 400 bits=0:1", "'bits=0:1': the type stands before the keys: holding 400 bits bits=0:1"},
      {"p = holding 400 scale=10", "'scale=10': the type stands before the keys: holding 400 u32 scale=10"},
      {"p = coil 16 write=coil",
       "'write=coil': the type stands before the keys: coil 16 u16 write=coil; one coil is u16"},
  };
  for (const Wrong& c : cases) EXPECT_EQ(refusal_of(c.line + "\n"), "meter.ini:5: " + c.refusal) << c.line;
}

TEST(ProfileRefusalTest, TranslatesTheSixDigitsOfAManual) {
  EXPECT_EQ(refusal_of("p = holding 400101 u16\n"),
            "meter.ini:5: '400101': an address is a whole number from 0 to 65535; a manual's 400101 is holding 100");
  EXPECT_EQ(refusal_of("p = input 365536 u16\n"),
            "meter.ini:5: '365536': an address is a whole number from 0 to 65535; a manual's 365536 is input 65535");
  for (const char* other : {"holding 300101", "holding 400000", "holding 465537", "coil 400101"}) {
    EXPECT_THAT(refusal_of(std::string("p = ") + other + " u16\n"), testing::EndsWith("from 0 to 65535")) << other;
  }
}

TEST(ProfileRefusalTest, RefusesAWrongHeader) {
  const Wrong cases[] = {
      {"format = 1", "meter.ini:3: 'format': was given before in this section"},
      {"modell = x", "meter.ini:3: 'modell': no such key (did you mean 'model'?)"},
      {"order = AB", "meter.ini:3: 'AB': order is one of"},
      {"max_registers = 126", "meter.ini:3: '126': max_registers is a whole number from 1 to 125"},
      {"hole = some", "meter.ini:3: 'some': hole is a whole number"},
      {"pause = 50", "meter.ini:3: '50': pause is a duration"},
      {"name =", "meter.ini:3: '': name is a text"},
      {"extends = other", "meter.ini:3: 'other': no such profile"},
      {"identify = holding 0 u16", "meter.ini:3: 'holding 0 u16': identify is TABLE ADDRESS TYPE VALUE"},
      {"identify = holding 0 u16 70000", "meter.ini:3: '70000': no value of u16"},
      {"identify = holding 0 bcd 7", "meter.ini:3: 'bcd': identify takes the types that need no key"},
      {"identify = holding 65535 u32 1", "meter.ini:3: '65535': with 2 registers"},
      {"volts", "meter.ini:3: 'volts': a line is KEY = VALUE"},
      {"max_registers = 1", "meter.ini:5: 'p': its 2 registers are more than max_registers = 1"},
  };
  for (const Wrong& c : cases) EXPECT_THAT(refusal_of("p = holding 0 u32\n", c.line), HasSubstr(c.refusal)) << c.line;
}

TEST(ProfileRefusalTest, RefusesAFileThatIsNone) {
  const Wrong cases[] = {
      {"", "meter.ini:1: '': a profile begins with [profile]"},
      {"p = holding 0 u16\n", "meter.ini:1: 'p = holding 0 u16': a profile begins with [profile]"},
      {"[points]\n", "meter.ini:1: '[points]': a profile has one [profile] and then one [points]"},
      {"[profile]\nname = x\n", "meter.ini:1: '[profile]': needs format = 1"},
      {"[profile]\nformat = 2\n", "meter.ini:2: '2': this program reads format = 1"},
      {std::string("[profile]\nformat = 1\0\n", 22), "meter.ini:2: 'format = 1?': a profile is UTF-8 text"},
  };
  for (const Wrong& c : cases) {
    const auto profile = read_text(c.line);
    ASSERT_FALSE(profile) << c.line;
    EXPECT_THAT(profile.error().detail, StartsWith(c.refusal));
  }
}

TEST(ProfileRefusalTest, RefusesMoreThanAThousandPoints) {
  std::string points;
  for (int i = 0; i <= 1000; ++i) points += "p" + std::to_string(i) + " = holding 0 u16\n";
  EXPECT_THAT(refusal_of(points), HasSubstr("'p1000': a profile has at most 1000 points"));
}

TEST(ProfileRefusalTest, RefusesScalesThatBranchWithoutEndInsteadOfFollowingThem) {
  std::string points;
  for (int i = 0; i < 500; ++i) {
    const std::string next = "p" + std::to_string(i + 1);
    points += "p" + std::to_string(i) + " = holding 0 u16 exponent=" + next + " times=" + next + " sign=" + next + "\n";
  }
  EXPECT_THAT(refusal_of(points + "p500 = holding 0 u16\n"), HasSubstr("over more than 3 points"));
}

}  // namespace
}  // namespace metergate
